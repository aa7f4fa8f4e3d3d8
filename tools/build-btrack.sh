#!/usr/bin/env bash
# Compiles btrack's library from its source distribution where the one in the wheel does not load (older libstdc++).
# Usage: build-btrack.sh PYTHON
set -euo pipefail
python="$1"

library="$("$python" -c 'import importlib.util as u; print(u.find_spec("btrack").submodule_search_locations[0])')/libs/libtracker.so"
loads() { "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null; }
loads "$library" && exit 0

version="$("$python" -c 'import importlib.metadata as m; print(m.version("btrack"))')"
echo "compiling btrack $version: its wheel does not load here (about a minute)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"$python" -m pip --disable-pip-version-check download --quiet --no-deps --no-binary btrack -d "$work" "btrack==$version"
tar -xzf "$work"/btrack-*.tar.gz -C "$work" --strip-components=1
mkdir -p "$work/include"
ln -s /usr/include/eigen3 "$work/include/eigen" # its sources say #include "eigen/Eigen/Dense"
g++ -O3 -std=c++11 -fPIC -shared -DDEBUG=false -DBUILD_SHARED_LIB \
    -I"$work/include" -I"$work/btrack/include" "$work"/btrack/src/*.cc -o "$work/libtracker.so"
loads "$work/libtracker.so"
mv "$work/libtracker.so" "$library"

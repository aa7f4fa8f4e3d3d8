#!/usr/bin/env bash
# Installs the system packages that Lineage needs and that are not there yet (Debian, Ubuntu and their kin).
# Asks apt for nothing when nothing is missing. Without root or passwordless sudo: prints the line to run and fails.
set -euo pipefail
PATH="$PATH:/usr/sbin:/sbin"

# Qt on a screen, on Xvfb and offscreen: package, then the library it brings.
QT_LIBRARIES="
libegl1 libEGL.so.1
libgl1 libGL.so.1
libglib2.0-0 libglib-2.0.so.0
libfontconfig1 libfontconfig.so.1
libfreetype6 libfreetype.so.6
libx11-6 libX11.so.6
libx11-xcb1 libX11-xcb.so.1
libxkbcommon0 libxkbcommon.so.0
libxkbcommon-x11-0 libxkbcommon-x11.so.0
libdbus-1-3 libdbus-1.so.3
libxcb-cursor0 libxcb-cursor.so.0
libxcb-icccm4 libxcb-icccm.so.4
libxcb-keysyms1 libxcb-keysyms.so.1
libxcb-image0 libxcb-image.so.0
libxcb-render0 libxcb-render.so.0
libxcb-render-util0 libxcb-render-util.so.0
libxcb-randr0 libxcb-randr.so.0
libxcb-shape0 libxcb-shape.so.0
libxcb-shm0 libxcb-shm.so.0
libxcb-sync1 libxcb-sync.so.1
libxcb-xfixes0 libxcb-xfixes.so.0
libxcb-xkb1 libxcb-xkb.so.1
"

missing_libraries() {
    local known package library
    known="$(ldconfig -p)"
    while read -r package library; do
        [ -z "$package" ] || [[ "$known" == *"$library "* ]] || echo "$package"
    done <<<"$QT_LIBRARIES"
}

# btrack's wheel is built with GCC 13; on an older system its library has to be compiled (see build-btrack.sh).
wheel_of_btrack_loads() {
    local libstdcxx
    libstdcxx="$(ldconfig -p | awk '/libstdc\+\+\.so\.6 / { print $NF; exit }')"
    [ -n "$libstdcxx" ] && grep -q GLIBCXX_3.4.32 "$libstdcxx"
}

missing_packages() {
    [ -x .venv/bin/pip ] || "${PYTHON:-python3.11}" -c 'import ensurepip, venv' 2>/dev/null || echo python3.11-venv
    missing_libraries
    [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || echo fonts-dejavu-core
    command -v Xvfb >/dev/null || echo xvfb
    command -v xauth >/dev/null || echo xauth
    if ! wheel_of_btrack_loads; then
        command -v g++ >/dev/null || echo g++
        [ -d /usr/include/eigen3 ] || echo libeigen3-dev
    fi
}

[ "$(uname)" = Linux ] || exit 0
packages="$(missing_packages | xargs)"
[ -n "$packages" ] || exit 0

line="apt-get update && apt-get install -y --no-install-recommends $packages"
if ! command -v apt-get >/dev/null; then
    echo "Lineage may need what Debian calls: $packages" >&2
elif [ "$(id -u)" = 0 ]; then
    echo "$line"
    DEBIAN_FRONTEND=noninteractive bash -c "$line"
elif sudo -n true 2>/dev/null; then
    echo "sudo: $line"
    sudo -n env DEBIAN_FRONTEND=noninteractive bash -c "$line"
else
    echo "System packages are missing. Have an administrator run this line, then run make again:" >&2
    echo "    sudo sh -c '$line'" >&2
    exit 1
fi

"""Which files of microscope makers are read, each by an optional package."""

from collections.abc import Callable, Mapping
from pathlib import Path

from engine.readers.leica import open_lif
from engine.readers.nikon import open_nd2
from engine.readers.source import Source
from engine.readers.zeiss import open_czi

MAKERS: Mapping[str, Callable[[Path], Source]] = {".nd2": open_nd2, ".czi": open_czi, ".lif": open_lif}

"""Small movies on disk, in the layouts that people have."""

from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
import zarr

SHAPE = (12, 16)
TATEXP = """<?xml version="1.0" encoding="UTF-8"?>
<TATSettings>
  <PositionCount count="2"/>
  <PositionData>
    <PositionInformation><PosInfoDimension index="0001" posX="100.5" posY="-20" comments=""/></PositionInformation>
    <PositionInformation><PosInfoDimension index="0002" posX="1500" posY="30,25" comments=""/></PositionInformation>
  </PositionData>
  <WavelengthCount count="2"/>
  <WavelengthData>
    <WavelengthInformation><WLInfo Name="00" Comment="" ImageType="png"/></WavelengthInformation>
    <WavelengthInformation><WLInfo Name="01" Comment="GATA1" ImageType="png"/></WavelengthInformation>
  </WavelengthData>
  <MicrometerPerPixel value="1.02"/>
</TATSettings>
"""
SCALE = '<MicrometerPerPixel value="1.02"/>'


def frames(n=4, shape=SHAPE, dtype=np.uint8, seed=0):
    """(n, Y, X) images in which no two frames are alike."""
    values = np.random.default_rng(seed).integers(0, 200, (n, *shape))
    return values.astype(dtype)


def labels(n=4, shape=SHAPE, dtype=np.uint16):
    """(n, Y, X) label images of two cells whose values are not 1 and 2."""
    images = np.zeros((n, *shape), dtype)
    images[:, 1:4, 1:4] = 9
    images[:, 6:10, 8:13] = 4
    return images


def write_tiffs(folder, images, name="t{:03d}.tif", first=0):
    """One TIFF a frame."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, first):
        tifffile.imwrite(folder / name.format(number), image, photometric="minisblack")
    return folder


def write_pngs(folder, images, name="frame_{:04d}.png", first=0):
    """One PNG a frame."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, first):
        (folder / name.format(number)).write_bytes(imagecodecs.png_encode(image))
    return folder


def write_ttt(root, images, markers=None, xml=TATEXP, positions=(1, 2), wavelength="{:02d}"):
    """An experiment of tTt with brightfield at every time point; `markers` maps frame -> image of wavelength 1."""
    name = root.name
    for position in positions:
        folder = root / f"{name}_p{position:04d}"
        pattern = f"{name}_p{position:04d}_t{{:05d}}_z001_w"
        write_pngs(folder, images, pattern + wavelength.format(0) + ".png", first=1)
        for t, image in (markers or {}).items():
            write_pngs(folder, [image], pattern + wavelength.format(1) + ".png", first=t + 1)
    if xml is not None:
        (root / f"{name}_TATexp.xml").write_text(xml, encoding="utf-8")
    return root


def write_ome_zarr(path, array, axes, version="0.5", um=0.5, seconds=120.0, channels=()):
    """An OME-Zarr image at one resolution; axes are letters in the order of the array."""
    kinds = {"t": ("time", "second", seconds), "c": ("channel", None, 1.0)}
    listed, scale = [], []
    for axis in axes:
        kind, unit, step = kinds.get(axis, ("space", "micrometer", um))
        listed.append({"name": axis, "type": kind} | ({"unit": unit} if unit else {}))
        scale.append(step)
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
    multiscale = {"axes": listed, "datasets": datasets}
    omero = {"omero": {"channels": [{"label": name} for name in channels]}} if channels else {}
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    stored = group.create_array("0", shape=array.shape, dtype=array.dtype, chunks=array.shape)
    stored[...] = array
    if version == "0.5":
        group.attrs.update({"ome": {"version": version, "multiscales": [multiscale], **omero}})
    else:
        group.attrs.update({"multiscales": [{"version": version, **multiscale}], **omero})
    return path


def cut_short(file: Path, keep=0.6):
    """Take the end of a file away."""
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)])

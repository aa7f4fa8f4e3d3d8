"""Tiny ND2, CZI and LIF files, written byte by byte as far as the packages that read them need it.

Layouts as the readers nd2 (Ver3.0, "lite variant"), czifile and liffile (BSD-3) take them apart.
"""

import struct

import imagecodecs
import numpy as np

MAGIC = 0x0ABECEDA
PIXELS = {"uint8": 0, "uint16": 1, "uint8 colour": 3}


def write_nd2(
    path, images, um=0.65, interval_s=90.0, stage=(), recorded=None, z=1, names=("BF", "GATA1"), colour=False
):
    """images : (T, P, C, Y, X), or (T, P, Y, X, 3) in colour; stage : x, y of each position, um."""
    n, places = images.shape[:2]
    height, width = images.shape[2:4] if colour else images.shape[3:]
    n_channels, components = (1, 3) if colour else (images.shape[2],) * 2
    bits, recorded = 8 * images.itemsize, n * places * z if recorded is None else recorded
    attributes = {"uiBpcInMemory": bits, "uiBpcSignificant": bits, "uiWidth": width, "uiHeight": height}
    attributes |= {"uiWidthBytes": width * components * images.itemsize, "uiComp": components}
    dye = {"m_ExcitationSpectrum": {}, "m_EmissionSpectrum": {}}
    plane = {"uiCompCount": components // n_channels, "uiColor": 255, "pFluorescentProbe": dye}
    planes = {f"a{i}": {"sDescription": name} | plane for i, name in enumerate(names[:n_channels])}
    picture = {"bCalibrated": um is not None, "dCalibration": um or 1.0}
    picture["sPicturePlanes"] = {"uiCount": n_channels, "sPlaneNew": planes}
    inner = [{"dPosX": x, "dPosY": y, "dPosName": f"well {i}"} for i, (x, y) in enumerate(stage)]
    loops = [(1, {"uiCount": n, "dStart": 0.0, "dPeriod": 1000 * interval_s, "dDuration": 0.0})]
    loops += [(2, {"Points": {f"i{i:010}": point for i, point in enumerate(inner)}})] if stage else []
    loops += [(4, {"uiCount": z, "dZStep": 1.0})] if z > 1 else []
    experiment = {}
    for kind, parameters in reversed(loops):
        experiment = {"eType": kind, "uLoopPars": parameters} | (
            {"ppNextLevelEx": {"a": experiment}} if experiment else {}
        )
    frames = images.repeat(z, axis=1).reshape(n * places * z, *images.shape[2:])[:recorded]
    chunks = {
        "ImageAttributesLV!": _lite({"SLxImageAttributes": attributes | {"uiSequenceCount": recorded}}),
        "ImageMetadataSeqLV|0!": _lite({"SLxPictureMetadata": picture}),
        "ImageMetadataLV!": _lite({"SLxExperiment": experiment}),
    }
    for i, frame in enumerate(frames):
        chunks[f"ImageDataSeq|{i}!"] = bytes(8) + (frame if colour else np.moveaxis(frame, 0, -1)).tobytes()
    data = struct.pack("<IIQ32s64s", MAGIC, 32, 64, b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0")
    table = b""
    for name, content in chunks.items():
        table += name.encode() + struct.pack("<QQ", len(data), len(content))
        data += struct.pack("<IIQ", MAGIC, 4072, len(content)) + name.encode().ljust(4072, b"\0") + content
    table += b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", len(data))
    data += struct.pack("<IIQ", MAGIC, 32, len(table)) + b"ND2 FILEMAP SIGNATURE NAME 0001!" + table
    path.write_bytes(data)
    return path


def _lite(values):
    """Values in the binary form of NIS-Elements: type, name, value; the kind of a value is told by its name."""
    data = b""
    for name, value in values.items():
        text = (name + "\0").encode("utf-16-le")
        kind = {"b": 1, "u": 3, "e": 3, "i": 3, "d": 6}.get(name[0], 8)
        kind = 11 if isinstance(value, dict) else 8 if isinstance(value, str) else kind
        head = bytes([kind, len(name) + 1]) + text
        if kind == 11:
            inner = _lite(value)
            data += head + struct.pack("<IQ", len(value), len(head) + 12 + len(inner)) + inner + bytes(8 * len(value))
        elif kind == 8:
            data += head + (value + "\0").encode("utf-16-le")
        else:
            data += head + struct.pack({1: "<?", 3: "<I", 6: "<d"}[kind], value)
    return data


def write_czi(
    path, images, um=0.65, interval_s=90.0, names=("BF", "GATA1"), packed=False, skip=(), z=1, scenes=(), pyramid=False
):
    """images : (T, S, C, Y, X), or (T, S, C, Y, X, 3); skip : (t, channel) left out; scene s lies at X = 100 s px.

    pyramid : every image is listed again as one of lower resolution, of which all are the first.
    """
    kind = PIXELS[f"{images.dtype}{' colour' if images.ndim == 6 else ''}"]
    data, entries = bytearray(32 + 512), []
    for t, s, c, depth in np.ndindex(*images.shape[:3], z):
        if (t, c) in skip:
            continue
        pixels = images[t, s, c].tobytes()
        if packed:
            halves = np.frombuffer(pixels, np.uint8).reshape(-1, images.itemsize).T.tobytes()
            pixels = (bytes([3, 1, 1]) if images.itemsize == 2 else bytes([1])) + imagecodecs.zstd_encode(halves)
        sizes = {"X": (100 * s, images.shape[4]), "Y": (7, images.shape[3]), "C": (c, 1), "T": (t, 1), "S": (s, 1)}
        sizes |= {"Z": (depth, 1)} if z > 1 else {}
        dimensions = b"".join(struct.pack("<4siifi", axis.encode(), at, n, 0.0, n) for axis, (at, n) in sizes.items())
        entry = struct.pack("<2siqiiBB4si", b"DV", kind, len(data), 0, 6 if packed else 0, 0, 0, b"", len(sizes))
        entries.append(entry + dimensions)
        seconds = int(t * interval_s)
        when = f"2026-01-02T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.5000000Z"
        text = f"<METADATA><Tags><AcquisitionTime>{when}</AcquisitionTime></Tags></METADATA>".encode()
        head = struct.pack("<iiq", len(text), 0, len(pixels)) + entries[-1]
        data += _segment(b"ZISRAWSUBBLOCK", head.ljust(256, b"\0") + text + pixels)
    entries += [one[:6] + entries[0][6:22] + b"\2" + one[23:] for one in entries if pyramid]
    metadata_at = len(data)
    scale = f"<Scaling><Items><Distance Id='X'><Value>{um * 1e-6}</Value></Distance></Items></Scaling>" if um else ""
    channels = "".join(f"<Channel Name='{name}'/>" for name in names[: images.shape[2]])
    named = "".join(f"<Scene Index='{i}' Name='{name}'/>" for i, name in enumerate(scenes))
    axes = f"<Channels>{channels}</Channels><S><Scenes>{named}</Scenes></S>"
    image = f"<Information><Image><Dimensions>{axes}</Dimensions></Image></Information>"
    xml = f"<ImageDocument><Metadata>{image}{scale}</Metadata></ImageDocument>".encode()
    data += _segment(b"ZISRAWMETADATA", struct.pack("<ii248x", len(xml), 0) + xml)
    directory_at = len(data)
    data += _segment(b"ZISRAWDIRECTORY", struct.pack("<i124x", len(entries)) + b"".join(entries))
    header = struct.pack("<iiii16s16siqqiq", 1, 0, 0, 0, b"", b"", 0, directory_at, metadata_at, 0, 0)
    data[: 32 + 512] = _segment(b"ZISRAWFILE", header.ljust(512, b"\0"))
    path.write_bytes(bytes(data))
    return path


def _segment(name, content):
    return struct.pack("<16sqq", name, len(content), len(content)) + content


def write_lif(path, movies, um=0.65, interval_s=90.0, names=("Gray", "Green"), z=1, stage=(), colour=False):
    """movies : name -> (T, M, C, Y, X), or (T, M, Y, X, 3) in colour; stage : x, y of each tile of M, m."""
    elements, blocks = "", b""
    for number, (name, images) in enumerate(movies.items()):
        elements += _lif_element(name, images, number, um, interval_s, names, z, stage, colour)
        content = images.repeat(z, axis=0).tobytes()
        key = f"MemBlock_{number}"
        head = struct.pack("<IIBQBI", 0x70, 0, 0x2A, len(content), 0x2A, len(key)) + key.encode("utf-16-le")
        blocks += head + content
    xml = f"<LMSDataContainerHeader Version='2'><Element Name='project'><Children>{elements}</Children></Element>"
    xml += "</LMSDataContainerHeader>"
    text = xml.encode("utf-16-le")
    path.write_bytes(struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(xml)) + text + blocks)
    return path


def _lif_element(name, images, number, um, interval_s, names, z, stage, colour):
    n, tiles, n_channels = images.shape[:3]
    height, width = images.shape[2:4] if colour else images.shape[3:]
    n_channels, size = (3 if colour else n_channels), images.itemsize
    pixel = size * 3 if colour else size
    plane = width * height * size
    frame = plane * n_channels
    dimensions = [(1, width, um * 1e-6 * (width - 1) if um else 0, "m", pixel), (2, height, 0, "m", pixel * width)]
    dimensions += [(3, z, 1e-6, "m", frame * tiles)] if z > 1 else []
    dimensions += [(10, tiles, 0, "", frame)] if tiles > 1 else []
    dimensions += [(4, n, interval_s * (n - 1), "s", frame * tiles * z)] if n > 1 else []
    described = "".join(
        f"<DimensionDescription DimID='{key}' NumberOfElements='{count}' Origin='0' Length='{length}' Unit='{unit}' "
        f"BytesInc='{step}' BitInc='0'/>"
        for key, count, length, unit, step in dimensions
    )
    channels = "".join(
        f"<ChannelDescription DataType='0' ChannelTag='{i + 1 if colour else 0}' Resolution='{8 * size}' Min='0' "
        f"Max='255' NameOfMeasuredQuantity='' Unit='' LUTName='{(*names, *names)[i]}' IsLUTInverted='0' "
        f"BytesInc='{i * (size if colour else plane)}' BitInc='0'/>"
        for i in range(n_channels)
    )
    places = "".join(f"<Tile FieldX='{i}' FieldY='0' PosX='{x}' PosY='{y}'/>" for i, (x, y) in enumerate(stage))
    tile = f"<Attachment Name='TileScanInfo'>{places}</Attachment>" if stage else ""
    description = f"<Channels>{channels}</Channels><Dimensions>{described}</Dimensions>"
    image = f"<Image><ImageDescription>{description}</ImageDescription>{tile}</Image>"
    memory = f"<Memory Size='{images.nbytes * z}' MemoryBlockID='MemBlock_{number}'/>"
    return f"<Element Name='{name}'><Data>{image}</Data>{memory}<Children/></Element>"

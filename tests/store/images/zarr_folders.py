"""Small OME-Zarr folders for the tests."""

import warnings

import zarr

_TYPES = {"t": "time", "c": "channel"}


def put_zarr(
    folder,
    pixels,
    axes,
    *,
    version="0.4",
    names=(),
    pixel_size=None,
    pixel_height=None,
    pieces=None,
    copies=1,
    keep_black=False,
):
    """Save an array as the full resolution, with copies of half and so on, in pieces.

    Args:
        pieces: Their sides; of one plane each where not given.
        keep_black: Whether pieces without signal are stored.
    """
    pieces = pieces or tuple(
        n if axis in "yx" else 1 for n, axis in zip(pixels.shape, axes, strict=True)
    )
    stated = [{"name": axis, "type": _TYPES.get(axis, "space")} for axis in axes]
    for axis in stated[-2:]:
        axis["unit"] = "micrometer"
    scale = [1.0] * (len(axes) - 2) + [pixel_height or pixel_size or 0.0, pixel_size or 0.0]
    factors = [2**number for number in range(copies + 1)]
    said: dict = {
        "multiscales": [
            {
                "axes": stated,
                "datasets": [
                    {
                        "path": path,
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [n * factor for n in scale]}
                        ],
                    }
                    for path, factor in zip(map(str, range(copies + 1)), factors, strict=True)
                ],
            }
        ]
    }
    if names:
        said["omero"] = {"channels": [{"label": name} for name in names]}
    number = 3 if version == "0.5" else 2
    attributes = {"ome": {"version": version, **said}} if version == "0.5" else said
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = zarr.open_group(folder, mode="w", zarr_format=number)
        group.attrs.update(attributes)
        keys = {"name": "v2", "separator": "/"} if number == 2 else None
        for level, factor in enumerate(factors):
            content = pixels[..., ::factor, ::factor]
            array = group.create_array(
                str(level),
                shape=content.shape,
                chunks=tuple(min(a, b) for a, b in zip(pieces, content.shape, strict=True)),
                dtype=content.dtype,
                chunk_key_encoding=keys,
                config={"write_empty_chunks": keep_black},
            )
            array[...] = content
    return folder

"""Small OME-Zarr folders for the tests."""

import warnings

import zarr

_TYPES = {"t": "time", "c": "channel"}


def put_zarr(folder, pixels, axes, *, version="0.4", names=(), pixel_size=None):
    """Save an array as the full resolution, with a copy of half of it, pieces of one plane each."""
    pieces = tuple(n if axis in "yx" else 1 for n, axis in zip(pixels.shape, axes, strict=True))
    stated = [{"name": axis, "type": _TYPES.get(axis, "space")} for axis in axes]
    for axis in stated[-2:]:
        axis["unit"] = "micrometer"
    scale = [1.0] * (len(axes) - 2) + [pixel_size or 0.0] * 2
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
                    for path, factor in (("0", 1), ("1", 2))
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
        for path, content in (("0", pixels), ("1", pixels[..., ::2, ::2])):
            array = group.create_array(
                path,
                shape=content.shape,
                chunks=tuple(min(a, b) for a, b in zip(pieces, content.shape, strict=True)),
                dtype=content.dtype,
                chunk_key_encoding=keys,
            )
            array[...] = content
    return folder

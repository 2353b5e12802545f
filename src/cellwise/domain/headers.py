"""What an image file says of itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself.

    Args:
        height: Pixels down.
        width: Pixels across.
        dtype: Numpy name of the stored numbers, such as `uint16`.
        channels: Length of the channel axis (1 where there is none; colours are not channels).
        axes: Axis letters in stored order, as in tifffile: `YX`, `CYX`, `ZCYX`, `YXS`... `I` and
            `Q` are pages whose meaning is not stated.
        shape: Length of each axis.
        channel_names: From OME-XML or ImageJ; empty where not stated.
        pixel_size: Micrometres per pixel, None where not stated or not plausible.
        z: Planes along Z.
        t: Planes along time.
        pages: Pages of unstated meaning.
        colour: Whether pixels are stored as colours (RGB, palette, CMYK).
    """

    height: int
    width: int
    dtype: str
    channels: int = 1
    axes: str = "YX"
    shape: tuple[int, ...] = ()
    channel_names: tuple[str, ...] = ()
    pixel_size: float | None = None
    z: int = 1
    t: int = 1
    pages: int = 1
    colour: bool = False

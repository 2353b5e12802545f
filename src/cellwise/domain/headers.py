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
        pixel_size: Micrometres per pixel across, None where not stated or not plausible.
        pixel_height: The same down.
        z: Planes along Z.
        t: Planes along time.
        pages: Pages of unstated meaning.
        colour: Whether pixels are stored as colours (RGB, palette, CMYK).
        series: The further fields in the file; each of them has no further ones.
        left: What else the file holds and is not read, in words, such as smaller copies.
        odd: Images in the file that are not alike, so that nobody knows which is meant, in words.
        turned: How the file asks to be shown, as in the TIFF tag Orientation; 1 is as stored.
        transparent: Whether it holds transparency, which is not read.
        lost: Why something of the image is lost that would be read as black, a sentence.
        black: Pieces of the image that are not stored and are read as black.
    """

    height: int
    width: int
    dtype: str
    channels: int = 1
    axes: str = "YX"
    shape: tuple[int, ...] = ()
    channel_names: tuple[str, ...] = ()
    pixel_size: float | None = None
    pixel_height: float | None = None
    z: int = 1
    t: int = 1
    pages: int = 1
    colour: bool = False
    series: tuple["Header", ...] = ()
    left: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    turned: int = 1
    transparent: bool = False
    lost: str = ""
    black: int = 0

"""How single cells are cut out of their field."""

from dataclasses import dataclass

from cellwise.errors import BadOption

POLICIES = ("mask_others", "mask_all", "keep", "dim", "recentre")


@dataclass(frozen=True, slots=True)
class CropPlan:
    """How cells are cut out.

    Args:
        size: Side of the result in pixels.
        policy: `mask_others` zeroes other cells and keeps background; `mask_all` zeroes all but the
            cell; `keep` changes nothing; `dim` multiplies all but the cell by `dim`; `recentre`
            zeroes all but the cell and needs `window`, so that all cells keep one scale.
        pad: Side of the window beyond the longer side of the box, as a fraction of it.
        window: Side of the window in source pixels, the same for all cells, in place of `pad`.
        dim: The factor of policy `dim`, 0..1.
        repeat: Show a cell whose box is more than twice as long as wide twice, side by side, with
            nothing beside it: else most of its image would be empty.
        inside: Shift a window that reaches beyond the frame until it lies inside, as far as the
            frame is large enough; the cell is then not in the middle of its crop.

    Raises:
        BadOption: A value is out of range, or `recentre` has no `window`.
    """

    size: int = 64
    policy: str = "mask_others"
    pad: float = 0.1
    window: float | None = None
    dim: float = 0.25
    repeat: bool = False
    inside: bool = False

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise BadOption(f"No crop policy is called {self.policy!r}. One of: {POLICIES}.")
        if not 1 <= self.size <= 4096:
            raise BadOption(f"The size of crops is 1 to 4096 pixels, not {self.size}.")
        if not 0 <= self.pad <= 10:
            raise BadOption(f"The padding of crops is 0 to 10 box sides, not {self.pad}.")
        if self.window is not None and not 1 <= self.window <= 65536:
            raise BadOption(f"The window of crops is 1 to 65536 pixels, not {self.window}.")
        if not 0 <= self.dim <= 1:
            raise BadOption(f"The dimming factor of crops is 0 to 1, not {self.dim}.")
        if self.policy == "recentre" and self.window is None:
            raise BadOption("Crop policy 'recentre' needs the option 'window' (source pixels).")

        if self.inside and self.repeat:
            raise BadOption("Crops are shown twice or shifted inside the image, not both.")

    @property
    def gains(self) -> tuple[float, float]:
        """What background and other cells are multiplied by."""
        return {
            "mask_others": (1.0, 0.0),
            "mask_all": (0.0, 0.0),
            "recentre": (0.0, 0.0),
            "keep": (1.0, 1.0),
            "dim": (self.dim, self.dim),
        }[self.policy]

"""Colours of channels, as `parts.drawing.colours` has them."""

from cellwise.parts.drawing.colours import GREY, MOST_SHOWN, Tint, first_shown, tints

__all__ = ["GREY", "MOST_SHOWN", "Tint", "first_shown", "tints"]

"""What a segmenter is given and gives back."""

from collections.abc import Callable

from cellwise.domain.records import Field, Masks

# The decoded pixels of a site -> its cells and nuclei, at the same height and width.
Segmenter = Callable[[Field], Masks]

"""The cells of labelled fields as arrays: what a labeller is given and gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain import held_out

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

INHERITED = "inherited"
SUPPORTED = held_out.SUPPORTED
UNSCORED = "unscored"
KNOWN = "known"
UNKNOWN = "unknown"
APART = "apart"
UNASSIGNED = "unassigned"
BY_HAND = "by_hand"
NOT_TEACHING = "of_fields_that_do_not_teach"


@dataclass(frozen=True, slots=True)
class Bags:
    """Cells with the labels of their fields; classes are the positive ones, in order.

    Args:
        site: `[cell]`, index of the cell's field in `field_labels`.
        field_labels: `[site, class]`; a row without True is a Negative field.
        scores: `[cell, class]` out-of-fold logits, NaN in rows of cells without; None where the
            labeller needs none.
        border: `[cell]`, whether the cell touches the edge of the image.
        tiny: `[cell]`, whether the cell is too small to be believed.
        model: `[cell]`, a number for the model that gave the score; None where all are of one.
        truth: `[cell, class]`, 1 where the cell is known to show the class, NaN in rows of cells of
            which nothing is known; None where the labeller asks for no truth.
        classes: Names of the classes, where a labeller is asked for some of them.
        seed: Root of what a labeller draws by chance.
        vectors: `[cell, number]` of an embed step, NaN where a number was not measured of the cell;
            None where the labeller asks for none.
        group: `[cell]`, a number for the group whose cells are never judged by each other; None
            where each field is one.
        blocks: How many numbers belong to each part that vectors are put together of.
        maker: `[cell]`, a number for the network that made the vector: two networks' vectors do not
            compare. None where all are of one.
        given: `[cell, class]` in 0..1, what another step says that cells show, NaN in rows of cells
            of which it says nothing; None where there is no such step.
        given_without: The same by fold, made without the labels of the fold's fields, NaN in rows
            of its own cells; empty where that step made none.
        labelled: `[site]`, whether the field has labels, for labellers that also label cells of
            fields without: their row of `field_labels` says nothing. None where all have.
        verdict: `[cell, class]`, 1 where a person saw the class, 0 where a person refused it, NaN
            elsewhere; None where nobody looked.
        audited: `[cell]`, for how many cells of labelled fields a cell stands that was drawn at
            random and judged, 0 for all others; None where nothing was drawn.
        audit: `[cell, class]`, what was seen and refused in cells drawn at random where that is not
            to teach; None where it is in `verdict`.
        silent: `[cell]`, whether nothing is learned from the cell, for its field is a copy of
            another one or was set aside otherwise; None where all teach.
    """

    site: npt.NDArray[np.int64]
    field_labels: Flags
    scores: Floats | None
    border: Flags
    tiny: Flags
    model: npt.NDArray[np.int64] | None = None
    truth: Floats | None = None
    classes: tuple[str, ...] = ()
    seed: int = 0
    vectors: Floats | None = None
    group: npt.NDArray[np.int64] | None = None
    blocks: tuple[int, ...] = ()
    maker: npt.NDArray[np.int64] | None = None
    given: Floats | None = None
    given_without: Mapping[int, Floats] = field(default_factory=dict)
    verdict: Floats | None = None
    labelled: Flags | None = None
    audited: Floats | None = None
    audit: Floats | None = None
    silent: Flags | None = None

    @property
    def inherited(self) -> Floats:
        """`[cell, class]`: 1 where the cell's field carries the class."""
        return self.field_labels[self.site].astype(np.float32)

    def of_fields(self, kept: Flags) -> "Bags":
        """These fields and their cells alone.

        Args:
            kept: `[site]`, which fields.
        """
        return replace(
            self.of_cells(kept[self.site]),
            site=(np.cumsum(kept) - 1)[self.site[kept[self.site]]],
            field_labels=self.field_labels[kept],
            labelled=None if self.labelled is None else self.labelled[kept],
        )

    def of_cells(self, rows: Flags) -> "Bags":
        """These cells alone, `[cell]`; fields stay, whether or not cells of theirs do."""

        def some(values: npt.NDArray[Any] | None) -> Any:
            return None if values is None else values[rows]

        return replace(
            self,
            site=self.site[rows],
            scores=some(self.scores),
            border=self.border[rows],
            tiny=self.tiny[rows],
            model=some(self.model),
            truth=some(self.truth),
            vectors=some(self.vectors),
            group=some(self.group),
            maker=some(self.maker),
            given=some(self.given),
            given_without={fold: some(given) for fold, given in self.given_without.items()},
            verdict=some(self.verdict),
            audited=some(self.audited),
            audit=some(self.audit),
            silent=some(self.silent),
        )


@dataclass(frozen=True, slots=True)
class Candidates:
    """Cells and classes whose label is worth a look, the most telling first within class and kind.

    Args:
        cell: `[candidate]`, index of the cell.
        column: `[candidate]`, index of the class.
        kind: `[candidate]`, why: `added`, `removed` or `near_known`.
        before: `[candidate]`, in 0..1, what was said of the cell before.
        after: `[candidate]`, at least 0, what is said now.
        known_near: `[candidate]`, how many of its neighbours are known to show the class.
    """

    cell: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    kind: npt.NDArray[np.str_]
    before: Floats
    after: Floats
    known_near: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CellLabels:
    """Soft labels of cells.

    Args:
        label: `[cell, class]` in 0..1; all zero means Negative.
        weight: `[cell]`, how much the cell counts in training, at least 0.
        reason: `[cell]`, a short word that says where the label comes from.
        facts: What the step's record tells of the labels; anything that JSON can write.
        candidates: What a person should look at, where the labeller can say.
    """

    label: Floats
    weight: Floats
    reason: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    candidates: Candidates | None = None


Labeller = Callable[[Bags], CellLabels]

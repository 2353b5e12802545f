"""Acceptance of a foreign world: do its labels follow the knobs that were drawn?"""

from collections.abc import Sequence

import numpy as np

from cellwise.lab.simulate.label_checks import (
    FIELD_UM,
    MEAN_CELLS,
    Check,
    expected_error,
    ratio,
    tally,
)
from cellwise.lab.synth.foreign.knobs import ForeignSeverity
from cellwise.lab.synth.hpa.label_sets import NEGATIVE
from cellwise.lab.synth.hpa.labels import Sample

# Where every world of the family lies, by figures of labels over the open seeds.
TRUE_OF_INHERITED = (0.15, 0.95)
LABELS_PER_CELL = (0.35, 2.5)
SHOW_NONE = (0.0, 0.6)


def check_foreign(
    samples: Sequence[Sample], severity: ForeignSeverity, *, side_um: float
) -> list[Check]:
    """Silent cells, exclusive states, mistakes and counts against the knobs; and the family's span.

    Args:
        samples: Drawn for this severity; a few hundred.
        severity: The world.
        side_um: Side of a field in micrometres.
    """
    drawn = tally(samples)
    shown = np.concatenate([s.cells.shown[:, :NEGATIVE] for s in samples])
    given = np.repeat(drawn.given[:, :NEGATIVE], drawn.cells.astype(int), axis=0)
    labels = shown.sum(1)
    n = len(labels)
    return [
        _silent(samples, severity),
        _exclusive(labels, severity),
        _negative(drawn.images, drawn.given[:, NEGATIVE], severity),
        _false(drawn.images, drawn.given, drawn.false, severity),
        _cells(drawn.counts, len(samples), severity, side_um=side_um),
        Check("inherited labels that are true", float(shown[given].mean()), *TRUE_OF_INHERITED, n),
        Check("labels per cell", float(labels.mean()), *LABELS_PER_CELL, n),
        Check("cells that show none", float((labels == 0).mean()), *SHOW_NONE, n),
    ]


def _silent(samples: Sequence[Sample], severity: ForeignSeverity) -> Check:
    """Stained cells of labelled proteins that show none though something could be seen."""
    labelled = [s for s in samples if s.protein.labels]
    stained = [~s.cells.unstained for s in labelled]
    silent = np.array(
        [(s.cells.weights[ok, NEGATIVE] > 0).sum() for s, ok in zip(labelled, stained, strict=True)]
    )
    value, error = ratio(silent.astype(float), np.array([ok.sum() for ok in stained], float))
    # Proteins whose cells were all silent, or where nothing was found, were drawn again.
    slack = max(0.06, 4 * error)
    low, high = severity.silent - slack, severity.silent + slack
    return Check("silent cells of labelled proteins", value, low, high, int(silent.sum()))


def _exclusive(labels: np.ndarray, severity: ForeignSeverity) -> Check:
    """Where all states exclude each other no cell shows two."""
    most = 0.0 if severity.one_state == 1 else 1.0
    return Check("cells that show several labels", float((labels > 1).mean()), 0, most, len(labels))


def _negative(images: np.ndarray, negative: np.ndarray, severity: ForeignSeverity) -> Check:
    """At least the proteins without labels; a protein whose cells are all silent looks the same."""
    value, _ = ratio(images * negative, images)
    low = severity.negative - 4 * expected_error(max(severity.negative, 0.01), images)
    return Check("share of images given Negative", value, low, 0.4, int(negative.sum()))


def _false(
    images: np.ndarray, given: np.ndarray, false: np.ndarray, severity: ForeignSeverity
) -> Check:
    positives = images * given[:, :NEGATIVE].sum(1)
    value, error = ratio(images * false[:, :NEGATIVE].sum(1), positives)
    high = 1.3 * severity.false_adds + max(0.02, 4 * error)
    return Check("false labels per given label", value, 0, high, int(false.sum()))


def _cells(counts: np.ndarray, samples: int, severity: ForeignSeverity, *, side_um: float) -> Check:
    """The mean of the challenge, times the density; few cell lines make it uneven."""
    usual = MEAN_CELLS * (side_um / FIELD_UM) ** 2 * severity.lines.density
    lines = severity.lines.number[0]
    slack = max(0.15 * usual, 4 * float(counts.std()) / np.sqrt(min(samples, 4 * lines)))
    low, high = max(1.0, usual - slack), usual + slack
    return Check("cells per field, mean", float(counts.mean()), low, high, len(counts))

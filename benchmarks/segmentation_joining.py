"""The weights with which `watershed` joins pieces of nuclei, from every second annotated image.

    python -m benchmarks.segmentation_joining

Touching pieces of BBBC039 and DSB 2018 (half 0, see `segmentation_quality.py`) and of simulated
fields of 512 px (another seed than those of the score) are two nuclei where most of each belongs to
another true nucleus. A logistic regression on the measures of `pair_measures` gives the weights;
the annotated sets count the same, the simulated fields a quarter. Prints them as they stand in
`stages/segment/_joining.py`.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from benchmarks.segmentation_quality import DATA, NUCLEI_SETS, read_images, simulated_fields
from sklearn.linear_model import LogisticRegression

from cellwise.stages.segment.watershed.foreground import find_foreground
from cellwise.stages.segment.watershed.joining import measure, pair_measures
from cellwise.stages.segment.watershed.nuclei import first_scale, pieces_of, reduced

SEED = 11
FIELDS = 10
# Of the sets in their order: BBBC039, DSB 2018, simulated.
SHARES = (1.0, 1.0, 0.25)
# A piece belongs to a nucleus that covers this share of it.
_OWN = 0.4

Pairs = tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]


def pairs_of(plane: npt.NDArray[np.float32], truth: npt.NDArray[Any]) -> Pairs:
    """Measures `[pair, 5]` of touching pieces of one image, and whether they are two nuclei."""
    scale = first_scale(plane)
    found = None
    if scale is not None:
        small = reduced(plane, scale.shrink)
        found = find_foreground(small, smooth=scale.smooth)
    if scale is None or found is None:
        return np.zeros((0, 5)), np.zeros(0, np.bool_)
    labels, height, bright = pieces_of(found, scale.inside)
    size = (labels.shape[1], labels.shape[0])
    true = cv2.resize(truth.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    owner = _owners(labels, true.astype(np.int64))
    pieces = measure(labels, height, bright)
    one, two = pieces.pairs.T
    measures = pair_measures(pieces, one, two, pieces.passes, scale.inside)
    known = (owner[one] > 0) & (owner[two] > 0)
    return measures[known], (owner[one] != owner[two])[known]


def fit(sets: list[Pairs], shares: tuple[float, ...] = SHARES) -> npt.NDArray[np.float64]:
    """The constant and the weights; each set counts as much as its share says."""
    measures = np.concatenate([one for one, _ in sets])
    truth = np.concatenate([two for _, two in sets])
    weight = np.concatenate(
        [
            np.full(len(two), 200 * share / len(two))
            for (_, two), share in zip(sets, shares, strict=True)
        ]
    )
    spread = measures.std(axis=0)
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit(measures / spread, truth, sample_weight=weight)
    return np.concatenate([model.intercept_, model.coef_[0] / spread])


def _owners(labels: npt.NDArray[Any], truth: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    width = int(truth.max()) + 1
    joint = np.bincount((labels.astype(np.int64) * width + truth).ravel())
    joint = np.pad(joint, (0, -len(joint) % width)).reshape(-1, width)
    owner = joint[:, 1:].argmax(axis=1) + 1
    owner[joint[:, 1:].max(axis=1) < _OWN * joint.sum(axis=1)] = 0
    return np.asarray(owner)


def _sets(data: Path) -> Iterator[Pairs]:
    for name in NUCLEI_SETS:
        images = read_images(name, data=data, half=0)
        yield _pooled([pairs_of(one.field.pixels[0], one.truth) for one in images])
    with tempfile.TemporaryDirectory() as folder:
        fields = simulated_fields(Path(folder) / "world", size=512, fields=FIELDS, seed=SEED)
        yield _pooled(
            [
                pairs_of(field.pixels[field.index("nucleus")], true.nuclei)
                for field, true, _ in fields
            ]
        )


def _pooled(parts: list[Pairs]) -> Pairs:
    return np.concatenate([one for one, _ in parts]), np.concatenate([two for _, two in parts])


def main() -> None:
    """Print the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    sets = list(_sets(parser.parse_args().data))
    for measures, truth in sets:
        print(f"pairs {len(measures)}, two nuclei {int(truth.sum())}")
    print("WEIGHTS =", tuple(round(float(value), 1) for value in fit(sets)))


if __name__ == "__main__":
    main()

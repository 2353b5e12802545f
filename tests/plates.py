"""A tiny plate with labelled control wells, as files on disk."""

import csv

from tests.worlds import draw, save

QUICK = (
    "train.epochs=10",
    "train.batch=8",
    "train.net.width=8",
    "train.threads=1",
    "score.threads=1",
)


def write_plate(folder, names, *, nuclear):
    """Two channels per well; `nuclear(well)` says where the protein is."""
    for number, well in enumerate(names):
        for channel, plane in zip(("dna", "gfp"), draw(number, nuclear=nuclear(well)), strict=True):
            save(folder / f"{well}_{channel}.png", plane)


def treated(well):
    return int(well[1:]) % 2 == 0


def write_labels(path, names, *, unlabelled=()):
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["well", "label", "Replicate"])
        for well in names:
            label = "" if well in unlabelled else "Nuclear" if treated(well) else "Negative"
            writer.writerow([well, label, (int(well[1:]) - 1) // 2 % 2])

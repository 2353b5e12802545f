"""The ranges of the family, frozen: a test pins their digest.

They were set once by figures of labels and by a look at images of the development seeds; no
figure of a learner was used, and none may be. A range is written as (kind, from, to):
`even` draws evenly, `ratio` evenly on the logarithm, `ends` puts three tenths of the worlds at each
end, `whole` draws whole numbers with both ends.
"""

import hashlib
import json

Range = tuple[str, float, float]

# Seeds that anybody may look at, and the first of those that are opened once per release.
OPEN_SEEDS = range(100)
FIRST_SEALED = 1000

LABELS: dict[str, Range] = {
    "silent": ("even", 0.0, 0.4),
    "silent_spread": ("ratio", 2.0, 20.0),
    "one_state": ("ends", 0.0, 1.0),
    "agreement": ("even", 0.0, 0.7),
    "presence": ("even", 0.2, 0.97),
    "presence_spread": ("ratio", 3.0, 25.0),
    "empirical": ("even", 0.0, 1.0),
    "extra": ("even", 0.0, 0.6),
    "kinds": ("whole", 24, 120),
    "tilt": ("even", 0.0, 1.0),
    "affinity": ("even", 0.0, 3.0),
    "ties": ("whole", 0, 3),
    "tie": ("even", 0.4, 1.0),
    "negative": ("even", 0.0, 0.08),
    "least_cells": ("even", 0.0, 0.25),
    "majority": ("even", 0.0, 0.6),
    "images": ("even", 0.0, 0.6),
    "miss": ("even", 0.0, 0.18),
    "miss_spindle": ("even", 0.2, 0.8),
    "false_adds": ("even", 0.0, 0.08),
    "cycle": ("even", 0.0, 0.8),
    "dividing": ("ratio", 20.0, 80.0),
    "concentration": ("ratio", 2.0, 20.0),
    "unstained": ("even", 0.0, 0.06),
    "faint": ("even", 0.0, 0.3),
    "unspecific": ("even", 0.0, 1.0),
}
# Made-up sets stand in place of the challenge's where `empirical` is drawn above this.
EMPIRICAL_BELOW = 0.3

STAINS: dict[str, Range] = {
    "cell_spread": ("even", 0.2, 0.6),
    "protein_spread": ("even", 0.2, 0.65),
    "autofluorescence": ("ratio", 0.008, 0.08),
    "stain_spread": ("even", 0.08, 0.4),
    "out_of_focus": ("even", 0.0, 0.2),
    "defocus": ("even", 0.5, 1.2),
    "defocus_more": ("even", 0.1, 0.9),
}
OPTICS: dict[str, Range] = {
    "photons": ("ratio", 15.0, 60.0),
    "photons_most": ("ratio", 150.0, 600.0),
    "least_photons": ("even", 28.0, 60.0),
    "read_noise": ("even", 1.0, 4.0),
    "read_noise_more": ("even", 0.5, 5.0),
    "psf_um": ("ratio", 0.09, 0.24),
    "psf_more": ("even", 0.0, 0.1),
    "haze": ("even", 0.02, 0.35),
    "bleed": ("even", 0.0, 0.1),
    "vignette": ("even", 0.0, 0.3),
    "dust": ("even", 0.0, 0.05),
    "saturated": ("even", 0.0, 0.06),
}
LINES: dict[str, Range] = {
    "number": ("whole", 2, 20),
    "area": ("ratio", 520.0, 1150.0),
    "area_spread": ("even", 0.1, 0.4),
    "elongation": ("even", 1.02, 1.5),
    "elongation_more": ("even", 0.1, 1.2),
    "nucleus_share": ("even", 0.15, 0.28),
    "nucleus_more": ("even", 0.02, 0.12),
    "crowding": ("even", 0.0, 0.5),
    "crowding_more": ("even", 0.2, 0.5),
    "gain_spread": ("even", 0.05, 0.35),
    "density": ("ratio", 0.6, 1.8),
}
SHAPE: dict[str, Range] = {
    "radius_spread": ("even", 0.05, 0.2),
    "nucleus_spread": ("even", 0.04, 0.14),
    "stretch_spread": ("even", 0.05, 0.25),
    "waver": ("ratio", 0.04, 0.2),
    "waves": ("whole", 3, 11),
    "nucleus_waver": ("ratio", 0.02, 0.1),
    "off_centre": ("even", 0.05, 0.35),
}
# Of each class and landmark; what is not drawn stays at the usual value in half of the cases.
LOOK: dict[str, Range] = {
    "size": ("ratio", 0.75, 1.6),
    "count": ("ratio", 0.5, 1.8),
    "elsewhere": ("ratio", 0.4, 2.2),
    "hollow": ("even", 0.2, 0.8),
    "mottle": ("even", 0.1, 0.5),
    "mottle_um": ("ratio", 0.8, 5.0),
    "polarity": ("even", 0.1, 0.6),
    "inward": ("even", -1.2, 1.2),
    "gamma": ("ratio", 0.75, 1.4),
}
ALWAYS_DRAWN = ("size", "count", "elsewhere", "mottle_um", "gamma")

FAMILY = {
    "labels": LABELS,
    "stains": STAINS,
    "optics": OPTICS,
    "lines": LINES,
    "shape": SHAPE,
    "look": LOOK,
}


def family_digest() -> str:
    """Sha256 of all ranges as canonical JSON."""
    content = {**FAMILY, "always": ALWAYS_DRAWN, "empirical_below": EMPIRICAL_BELOW}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def part_of(seed: int) -> str:
    """Which part of the family a seed belongs to: `development`, `spare` or `sealed`."""
    if seed in OPEN_SEEDS:
        return "development"
    return "sealed" if seed >= FIRST_SEALED else "spare"

"""One world of the family: every knob from a stream of its own, so that none shifts another."""

from typing import Any

import numpy as np

from cellwise.lab.synth.foreign.knobs import ForeignSeverity, Tie
from cellwise.lab.synth.foreign.ranges import (
    ALWAYS_DRAWN,
    EMPIRICAL_BELOW,
    FAMILY,
    LABELS,
    LINES,
    LOOK,
    OPTICS,
    SHAPE,
    STAINS,
)
from cellwise.lab.synth.hpa.label_sets import CLASSES, NEGATIVE, SPINDLE
from cellwise.lab.synth.randomness import generator
from cellwise.lab.synth.style import LANDMARKS, LineRanges, Look, Shape, Style

NAME = "foreign"
_MOST_IMAGES = 4
_AT_THE_ENDS = 0.3


def draw_severity(seed: int) -> ForeignSeverity:
    """The world of this seed, the same on every machine."""
    labels = {name: _drawn(seed, "labels", name) for name in LABELS}
    stains = {name: _drawn(seed, "stains", name) for name in STAINS}
    optics = {name: _drawn(seed, "optics", name) for name in OPTICS}
    more = labels["images"] ** np.arange(_MOST_IMAGES)
    images = tuple(float(share) for share in more / more.sum())
    return ForeignSeverity(
        name=NAME,
        seed=seed,
        silent=labels["silent"],
        silent_spread=labels["silent_spread"],
        one_state=labels["one_state"],
        agreement=labels["agreement"],
        presence=labels["presence"],
        presence_spread=labels["presence_spread"],
        empirical=labels["empirical"] < EMPIRICAL_BELOW,
        extra=labels["extra"],
        kinds=int(labels["kinds"]),
        tilt=labels["tilt"],
        affinity=labels["affinity"],
        ties=_ties(seed, int(labels["ties"])),
        tie=labels["tie"],
        negative=labels["negative"],
        least_cells=labels["least_cells"],
        majority=labels["majority"],
        images=images,
        miss=(labels["miss"], labels["miss"]),
        miss_spindle=labels["miss_spindle"],
        false_adds=labels["false_adds"],
        cycle=labels["cycle"],
        mitotic_beta=(2.0, labels["dividing"]),
        scv=0.0,
        concentration=labels["concentration"],
        unstained=labels["unstained"],
        faint=labels["faint"],
        unspecific=labels["unspecific"],
        cell_spread=stains["cell_spread"],
        protein_spread=stains["protein_spread"],
        out_of_focus=stains["out_of_focus"],
        photons=(optics["photons"], optics["photons_most"]),
        least_photons=optics["least_photons"],
        read_noise=(optics["read_noise"], optics["read_noise"] + optics["read_noise_more"]),
        psf_um=(optics["psf_um"], optics["psf_um"] + optics["psf_more"]),
        haze=(0.0, optics["haze"]),
        bleed=(0.0, optics["bleed"]),
        vignette=optics["vignette"],
        dust=optics["dust"],
        saturated=optics["saturated"],
        lines=_lines(seed),
        style=Style(
            looks=_looks(seed),
            shape=_shape(seed),
            autofluorescence=stains["autofluorescence"],
            stain_spread=stains["stain_spread"],
            defocus=(stains["defocus"], stains["defocus"] + stains["defocus_more"]),
        ),
    )


def _drawn(seed: int, group: str, name: str, *owner: str) -> float:
    kind, low, high = FAMILY[group][name]
    return _from(kind, low, high, generator(seed, NAME, group, name, *owner))


def _from(kind: str, low: float, high: float, rng: np.random.Generator) -> float:
    if kind == "even":
        return float(rng.uniform(low, high))
    if kind == "ratio":
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if kind == "whole":
        return float(rng.integers(int(low), int(high) + 1))
    place, within = rng.random(2)
    if place < _AT_THE_ENDS:
        return low
    return high if place >= 1 - _AT_THE_ENDS else float(low + (high - low) * within)


def _ties(seed: int, count: int) -> tuple[Tie, ...]:
    """Pairs of positive classes, no class in two of them and never the spindle."""
    classes = [k for k in range(NEGATIVE) if k != SPINDLE]
    order = generator(seed, NAME, "ties").permutation(classes)
    return tuple((int(order[2 * n]), int(order[2 * n + 1])) for n in range(count))


def _lines(seed: int) -> LineRanges:
    drawn = {name: _drawn(seed, "lines", name) for name in LINES}

    def span(name: str, more: str) -> tuple[float, float]:
        return drawn[name], drawn[name] + drawn[more]

    return LineRanges(
        number=(int(drawn["number"]), int(drawn["number"]) + 1),
        area=drawn["area"],
        area_spread=drawn["area_spread"],
        areas=(360.0, 1700.0),
        elongation=span("elongation", "elongation_more"),
        nucleus_share=span("nucleus_share", "nucleus_more"),
        crowding=span("crowding", "crowding_more"),
        gain_spread=drawn["gain_spread"],
        density=drawn["density"],
    )


def _shape(seed: int) -> Shape:
    drawn: dict[str, Any] = {name: _drawn(seed, "shape", name) for name in SHAPE}
    return Shape(**{**drawn, "waves": int(drawn["waves"])})


def _looks(seed: int) -> dict[str, Look]:
    return {name: _look(seed, name) for name in (*map(str, range(CLASSES)), *LANDMARKS)}


def _look(seed: int, owner: str) -> Look:
    drawn = {}
    for name, (kind, low, high) in LOOK.items():
        rng = generator(seed, NAME, "look", name, owner)
        if rng.random() < 0.5 or name in ALWAYS_DRAWN:
            drawn[name] = _from(kind, low, high, rng)
    return Look(**drawn)

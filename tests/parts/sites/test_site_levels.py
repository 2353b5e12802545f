"""Brightness of sites brought to one level: against a slow computation; offsets of plates go."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.errors import PreflightError
from cellwise.parts.sites.levels import fit_levels, group_statistics, levels_of

CHANNELS = ("w1", "w2")


def screen(seed, *, controls=True):
    """Twelve sites of two experiments with two plates each, and their statistics."""
    rng = np.random.default_rng(seed)
    ids = [f"s{k:02d}" for k in range(12)]
    sites = pl.DataFrame(
        {
            "site_id": ids,
            "Metadata_Experiment": [f"E{k // 6}" for k in range(12)],
            "Metadata_Plate": [f"P{k // 3}" for k in range(12)],
            "Metadata_WellType": [
                "negative_control" if controls and k % 3 == 0 else "treatment" for k in range(12)
            ],
        }
    )
    rows = [
        {"site_id": i, "channel": c, "mean": rng.uniform(0.1, 0.5), "std": rng.uniform(0.05, 0.2)}
        for i in ids
        for c in CHANNELS
    ]
    return sites, pl.DataFrame(rows).sample(fraction=1.0, shuffle=True, seed=seed)


GROUP = {
    "image": lambda k: [k],
    "plate": lambda k: [j for j in range(12) if j // 3 == k // 3],
    "experiment": lambda k: [j for j in range(12) if j // 6 == k // 6],
    "controls": lambda k: [k // 3 * 3],
}


@given(st.integers(0, 1000), st.sampled_from(sorted(GROUP)))
@settings(max_examples=30)
def test_a_group_has_the_plain_averages_of_its_images(seed, by):
    sites, statistics = screen(seed)
    known = {(r["site_id"], r["channel"]): r for r in statistics.to_dicts()}
    mean, std = group_statistics(statistics, sites, CHANNELS, by)
    for k in range(12):
        for c, channel in enumerate(CHANNELS):
            rows = [known[f"s{j:02d}", channel] for j in GROUP[by](k)]
            assert mean[k, c] == pytest.approx(np.mean([r["mean"] for r in rows]))
            assert std[k, c] == pytest.approx(np.mean([r["std"] for r in rows]))


def test_what_differs_by_gain_and_offset_of_plates_becomes_alike():
    rng = np.random.default_rng(0)
    plain = rng.random((12, 2, 8, 8)).astype(np.float32)
    plain = (plain - plain.mean((2, 3), keepdims=True)) / plain.std((2, 3), keepdims=True)
    gain = np.repeat(rng.uniform(0.02, 0.1, (4, 2)), 3, axis=0)[:, :, None, None]
    offset = np.repeat(rng.uniform(0.2, 0.5, (4, 2)), 3, axis=0)[:, :, None, None]
    pixels = (plain * gain + offset).astype(np.float32)
    sites, _ = screen(0)
    statistics = pl.DataFrame(
        [
            {"site_id": s, "channel": c, "mean": float(p.mean()), "std": float(p.std())}
            for s, site in zip(sites["site_id"], pixels, strict=True)
            for c, p in zip(CHANNELS, site, strict=True)
        ]
    )
    mean, std = group_statistics(statistics, sites, CHANNELS, "plate")
    level, spread = fit_levels(mean, std)
    found = levels_of(mean, std, {"mean": level, "std": spread}).apply(pixels, np.arange(12))
    shape = (1, 2, 1, 1)
    wanted = plain * np.reshape(spread, shape) + np.reshape(level, shape)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_plates_without_controls_are_named():
    sites, statistics = screen(0, controls=False)
    with pytest.raises(PreflightError, match="4 plates have no well that is known to be a control"):
        group_statistics(statistics, sites, CHANNELS, "controls")


def test_sites_that_were_not_measured_or_lie_on_no_plate_are_refused():
    sites, statistics = screen(0)
    fewer = statistics.filter(pl.col("site_id") != "s07")
    with pytest.raises(PreflightError, match="no statistics of s07"):
        group_statistics(fewer, sites, CHANNELS, "image")
    with pytest.raises(PreflightError, match="lie on no plate"):
        group_statistics(statistics, sites.drop("Metadata_Plate"), CHANNELS, "plate")

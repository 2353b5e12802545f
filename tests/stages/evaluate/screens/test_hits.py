"""Hits: exact p-values by hand, uniform ones under no effect, and what few controls cannot tell."""

from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest

from cellwise.stages.evaluate.screens.hits import hits


def plates(seed, *, plates=3, controls=4, treatments=3, effect=0.0, shift=5.0, copies=1):
    """Every plate holds each treatment and some negative controls, all moved by the plate."""
    rng, rows = np.random.default_rng(seed), []
    for p in range(plates):
        move = shift * rng.normal(size=6)
        kinds: list[tuple[str, str | None]] = [("negative_control", None)] * controls
        kinds += [("treatment", f"t{k}") for k in range(treatments) for _ in range(copies)]
        for n, (kind, name) in enumerate(kinds):
            vector = rng.normal(size=6) + move
            if name == "t0":
                vector += effect
            rows.append((f"P{p}/{n:02d}", f"P{p}", name, kind, "", vector.tolist()))
    names = ("well", "plate", "class", "well_type", "model")
    schema: dict[str, Any] = dict.fromkeys(names, pl.String)
    schema["vector"] = pl.Array(pl.Float64, 6)
    return pl.DataFrame(rows, schema=schema, orient="row")


def slowly(table, name):
    each = []
    for (_,), rows in table.group_by("plate", maintain_order=True):
        own = rows.filter(pl.col("class") == name)["vector"].to_numpy()
        pool = np.concatenate([own, rows.filter(pl.col("class").is_null())["vector"].to_numpy()])
        each.append([pool[k] - np.delete(pool, k, axis=0).mean(axis=0) for k in range(len(pool))])
    lengths = [np.linalg.norm(np.mean(way, axis=0)) for way in product(*each)]
    return lengths[0], np.mean(np.array(lengths) >= lengths[0] - 1e-12), 1 / len(lengths)


def test_all_ways_within_plates_by_hand():
    table = plates(1, effect=1.0)
    found = hits(table, seed=0)
    assert len(found["treatments"]) == 3
    for one in found["treatments"]:
        distance, p, smallest = slowly(table, one["treatment"])
        assert one["distance"] == pytest.approx(distance)
        assert one["p"] == pytest.approx(p)
        assert one["smallest_p"] == pytest.approx(smallest) == pytest.approx(1 / 125)
    assert (found["plates"], found["controls"]) == (3, 12)


def test_a_strong_treatment_comes_first_however_plates_are_moved():
    found = hits(plates(2, effect=4.0, plates=4, shift=50), seed=0)
    assert found["treatments"][0]["treatment"] == "t0"
    assert found["treatments"][0]["p"] == pytest.approx(1 / 625)
    assert found["false_discovery_rate"]
    assert found["treatments"][0]["q"] == pytest.approx(3 / 625)


def test_few_controls_allow_no_small_p_and_no_false_discovery_rate():
    found = hits(plates(3, plates=1, controls=1, effect=100.0), seed=0)
    # Exchanging the two wells turns the difference round: its length is the same.
    assert {one["smallest_p"] for one in found["treatments"]} == {1.0}
    assert {one["p"] for one in found["treatments"]} == {1.0}
    assert not found["false_discovery_rate"]
    assert not any("q" in one for one in found["treatments"])


def test_without_effect_p_values_are_no_smaller_than_they_should():
    p = [
        one["p"] for seed in range(25)
        for one in hits(plates(seed, plates=2, controls=6, treatments=8), seed=seed)["treatments"]
    ]  # fmt: skip
    for level in (0.05, 0.1, 0.3):
        share = np.mean(np.array(p) <= level)
        assert share < level + 3 * np.sqrt(level / len(p)) + 0.02


def test_draws_stand_for_all_ways_where_these_are_many():
    table = plates(5, plates=3, controls=4, copies=2, effect=2.0)
    found = hits(table, seed=1, draws=199)
    assert all(one["smallest_p"] >= 1 / 200 for one in found["treatments"])
    again = hits(table, seed=1, draws=199)
    assert found == again
    assert found["treatments"][0]["treatment"] == "t0"


def test_without_negative_controls_there_is_nothing_to_compare():
    table = plates(6).with_columns(well_type=pl.lit("treatment"))
    found = hits(table.filter(pl.col("class").is_not_null()), seed=0)
    assert found["treatments"] == []
    assert found["controls"] == 0
    assert not found["false_discovery_rate"]


def test_vectors_of_two_networks_are_never_averaged():
    """The same screen seen by a network whose numbers stand in another order on two plates."""
    table = plates(7, plates=4, effect=1.0)
    other = pl.col("plate").is_in(["P2", "P3"])
    turned = table.with_columns(
        model=pl.when(other).then(pl.lit("b")).otherwise(pl.lit("a")),
        vector=pl.when(other).then(pl.col("vector").arr.reverse()).otherwise("vector"),
    )
    straight = table.with_columns(model=turned["model"])
    assert hits(turned, seed=0)["treatments"] == [
        {**one, "distance": pytest.approx(one["distance"])}
        for one in hits(straight, seed=0)["treatments"]
    ]


@pytest.mark.parametrize("models", ["aaaa", "aabb", "abbb", "abcd"])
@pytest.mark.parametrize("controls", [1, 2])
def test_the_smallest_p_is_reached_by_what_lies_far_and_never_undercut(models, controls):
    """No profile does better than is said, and one far away does as well."""
    seen = set()
    for seed in range(4):
        table = plates(seed, plates=4, controls=controls, treatments=2, effect=1000.0)
        named = dict(zip(("P0", "P1", "P2", "P3"), models, strict=True))
        table = table.with_columns(model=pl.col("plate").replace_strict(named))
        for one in hits(table, seed=0)["treatments"]:
            assert one["p"] >= one["smallest_p"] * (1 - 1e-9)
            if one["treatment"] == "t0":
                seen.add(one["p"] / one["smallest_p"])
    assert max(seen) == pytest.approx(1.0)

"""Two steps that read the same images: decoded once, with records and results as of two steps."""

import pytest
from tests.faults.fault_runs import Heard, cells, left_on_disk, quarantine, run
from tests.worlds import plate

from cellwise.flow.pipeline import site_step
from cellwise.store.images import fields


@pytest.fixture
def images(tmp_path):
    plate(tmp_path / "images", 4)
    return tmp_path / "images"


@pytest.fixture
def decoded(monkeypatch):
    """The sites that were decoded, in order."""
    seen = []
    decode = fields._decoded

    def counted(site, root):
        seen.append(site.id)
        return decode(site, root)

    monkeypatch.setattr(fields, "_decoded", counted)
    return seen


def test_each_image_is_decoded_once_for_both(images, tmp_path, decoded):
    heard = Heard()
    run(images, tmp_path / "out.run", listener=heard)
    assert sorted(decoded) == ["A01", "A02", "A03", "A04"]
    assert heard.total == {"read": 0, "segment": 4, "cells": 4}


def test_results_are_those_of_two_steps_by_themselves(images, tmp_path, monkeypatch, decoded):
    run(images, tmp_path / "together.run")
    monkeypatch.setattr(site_step, "follower_of", lambda step, steps: None)
    decoded.clear()
    run(images, tmp_path / "apart.run")
    assert sorted(decoded) == sorted(2 * ["A01", "A02", "A03", "A04"])
    together, apart = (tmp_path / f"{name}.run" for name in ("together", "apart"))
    assert cells(together).equals(cells(apart))
    results = [
        {k: v for k, v in left_on_disk(out).items() if k.startswith(("masks", "crops", "cells"))}
        for out in (together, apart)
    ]
    assert results[0] == results[1]
    assert len(results[0]) > 8


def test_what_the_first_step_sets_aside_the_second_does_not_see(images, tmp_path):
    path = images / "A02_DNA.png"
    path.write_bytes(path.read_bytes()[:200])
    heard = Heard()
    run(images, tmp_path / "out.run", listener=heard)
    assert [row["stage"] for row in quarantine(tmp_path / "out.run")] in (["segment"], ["read"])
    assert set(cells(tmp_path / "out.run")["site_id"]) == {"A01", "A03", "A04"}

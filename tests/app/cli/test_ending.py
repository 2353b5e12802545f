"""The last lines of a run: figures of wells where wells were judged, no cells where none were."""

import json
from pathlib import Path

import pytest

from cellwise.app.cli.terminal.ending import print_ending
from cellwise.flow.pipeline.run import Outcome
from cellwise.store.run.folder import RunFolder


@pytest.mark.parametrize(
    ("cells", "metrics", "said"),
    [
        (False, {"out_of_batch_accuracy_free": (0.25, 0.2, 0.3, 128)},
         ["done in 7 s · 9 sites · nothing set aside · exit 0",
          "right treatments in new experiments 0.25 [0.20-0.30] (n=128)"]),
        (True, {}, ["done in 7 s · 9 sites · 0 cells · nothing set aside · exit 0"]),
    ],
)  # fmt: skip
def test_what_was_judged_is_said(tmp_path: Path, capsys, cells, metrics, said):
    run = RunFolder(tmp_path)
    entries = {
        name: dict(zip(("value", "low", "high", "n"), values, strict=True))
        for name, values in metrics.items()
    }
    run.metrics.write_text(json.dumps({"metrics": entries}))
    run.record.write_text(json.dumps({"steps": []}))
    if cells:
        run.cells.touch()
    print_ending(Outcome(tmp_path, 0, {"sites": 9, "cells": 0}, 7.0))
    assert capsys.readouterr().out.splitlines() == said


def test_images_unlike_those_learned_from_are_told_again_at_the_end(tmp_path: Path, capsys):
    run = RunFolder(tmp_path)
    words = "90 of 100 cells lie far from all that were learned from."
    run.record.write_text(json.dumps({"steps": [], "unlike": [words]}))
    print_ending(Outcome(tmp_path, 0, {"sites": 9, "cells": 100}, 7.0))
    assert capsys.readouterr().out.splitlines()[1] == words

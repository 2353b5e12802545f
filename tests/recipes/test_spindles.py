"""The third system's small form with a network for one class beside it, as its page says."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.special import expit

import cellwise
from cellwise.domain.tables import PREDICTIONS, SCORES
from cellwise.lab.simulate import simulate_world
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

pytestmark = [pytest.mark.long, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs" / "explain" / "learners.md"
HERE = "Nucleoplasm"


def _steps():
    """The steps that the page says to put into the small form, and where."""
    text = PAGE.read_text(encoding="utf-8")
    [block] = re.findall(r"```yaml\n(  - train: \{as: mitotic.*?)```", text, re.DOTALL)
    return yaml.safe_load(block)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Twelve fields, one epoch of everything; the class is one that the small world has."""
    home = tmp_path_factory.mktemp("spindles")
    simulate_world(
        SimulateRequest(home / "world", "hpa", severity="easy", sites=12, size=160, seed=1),
        lambda done, total, note: None,
    )
    small = Path(cellwise.__file__).with_name("recipes") / "hpa-graph-denoise-small.yaml"
    recipe = yaml.safe_load(small.read_text(encoding="utf-8"))
    *added, decide = _steps()
    place = [next(iter(step)) for step in recipe["steps"]].index("decide")
    recipe["steps"][place : place + 1] = [*added, decide]
    (home / "own.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    done = cellwise.run(
        home / "world",
        out=home / "run",
        recipe=str(home / "own.yaml"),
        settings=[
            "segment.name=watershed", "field.epochs=1", "cell.epochs=1", "mitotic.epochs=1",
            f"mitotic.only=[{HERE}]", "decide.by=none",
        ],
    )  # fmt: skip
    return RunFolder(done.path)


def test_one_class_is_the_mean_of_both_networks_and_all_others_are_of_one(run):
    scores = {
        name: read_table(run.scores(name), SCORES).sort("site_id", "cell_id")
        for name in ("cell", "mitotic")
    }
    logits = {name: np.stack(frame["score"].to_list()) for name, frame in scores.items()}
    chance = {name: expit(values.astype(float)) for name, values in logits.items()}
    found = read_table(run.predictions, PREDICTIONS).sort("site_id", "cell_id")
    names = [n.removeprefix("Prob_") for n in found.columns if n.startswith("Prob_")]
    positive = [name for name in names if name != "Negative"]
    for place, name in enumerate(positive):
        own = chance["cell"][:, place]
        if name == HERE:
            own = (own + chance["mitotic"][:, place]) / 2
        np.testing.assert_allclose(found[f"Prob_{name}"].to_numpy(), own, atol=1e-5, err_msg=name)

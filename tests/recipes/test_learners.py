"""The learners of the HPA systems on eight fields: each can learn them by heart, and parts mix."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml

import cellwise
from cellwise.contracts.augmentation import Panel, bound
from cellwise.contracts.task import Truth
from cellwise.domain.channels import Channel
from cellwise.domain.tables import LABELS, SCORES, SITES
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve
from cellwise.lab.simulate import simulate_world
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.learning.labelled import macro_average_precision
from cellwise.parts.augment import augmentations
from cellwise.parts.losses import losses
from cellwise.parts.nets import nets
from cellwise.parts.tasks import tasks
from cellwise.stages.decide.adjust import adjusters
from cellwise.stages.label import labellers
from cellwise.stages.score import scorers
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_classes, read_table
from cellwise.store.worlds.class_lists import class_list

pytestmark = [pytest.mark.long, pytest.mark.slow]

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "mix-parts.md"
LEARNERS = (
    "hpa-galixir",
    "hpa-masked-cells",
    "hpa-cell-bags",
    "hpa-puzzle-cam",
    "hpa-graph-denoise",
    "hpa-cam-cycles",
)
ROLES = {"blue": "nucleus", "green": "protein", "red": "microtubule", "yellow": "er"}
CHANNELS = tuple(Channel(name, role) for name, role in ROLES.items())
CLASSES = class_list("hpa19").positive
# The recipes name members too large for a test: a gradient goes through a small one of the family.
SMALLER = {
    "resnest101e": "resnest14d",
    "resnet101": "resnet18",
    "rexnet_150": "rexnet_100",
    "resnet50d": "resnet18d",
    "resnet101d": "resnet18d",
    "densenet169": "densenet121",
    "dpn68b": "dpn68",
    "mixnet_m": "mixnet_s",
    "tf_efficientnet_b0.ns_jft_in1k": "tf_efficientnet_b0",
    "tf_efficientnet_b1.ns_jft_in1k": "tf_efficientnet_b0",
    "resnext101_32x8d": "resnext50_32x4d",
    "tf_efficientnet_b4": "tf_efficientnet_b0",
    "tf_efficientnet_b7": "tf_efficientnet_b0",
    "vit_base_patch16_384": "vit_tiny_patch16_384",
}
TASKS = {
    "image": ({"name": "image", "size": 96}, "field_net"),
    "puzzle": ({"name": "puzzle", "size": 96}, "field_net"),
    "bag": ({"name": "bag", "cells": 6, "cell_weight": 0.0}, "cell_net"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Sixteen fields, eight of them labelled."""
    folder = tmp_path_factory.mktemp("learners") / "world"
    simulate_world(
        SimulateRequest(folder, "hpa", severity="hard", sites=16, size=192, seed=1),
        lambda done, total, note: None,
    )
    return folder


@pytest.fixture(scope="module")
def by_heart(world):
    """All eight labelled fields learned by each task, and scored."""
    steps = [{"read": None}, {"segment": "watershed"}, {"cells": {"size": 48}}]
    for name, (task, scorer) in TASKS.items():
        options = {
            "as": name,
            "task": task,
            "net": "tiny",
            "loss": "bce",
            "epochs": 80 if name == "puzzle" else 60,
            "batch": 4,
        }
        steps += [
            {"train": {**options, "learning_rate": 0.01, "augment": [], "threads": 1}},
            {"score": {"as": name, "model": name, "by": scorer, "threads": 1}},
        ]
    steps.append({"decide": {"from": ["bag"], "field": ["image"], "adjust": ["field_score"]}})
    path = world.parent / "by_heart.yaml"
    path.write_text(yaml.safe_dump({"format": 1, "steps": steps}))
    return RunFolder(cellwise.run(world, out=world.parent / "run", recipe=str(path)).path)


def test_every_task_can_learn_eight_fields_by_heart(by_heart):
    found = {name: precision_of(by_heart, name) for name in TASKS}
    assert min(found.values()) > 0.95, found


def test_other_scores_of_fields_are_decided_on_anew(world, by_heart):
    views = "image.by={name: field_net, views: flips}"
    done = cellwise.run(
        world,
        out=by_heart.path,
        recipe=str(world.parent / "by_heart.yaml"),
        settings=[views],
    )
    record = json.loads((done.path / "run.json").read_text())
    states = {(step["kind"], step["name"]): step["state"] for step in record["steps"]}
    assert states["train", "image"] == states["score", "bag"] == "reused"
    assert states["score", "image"] == states["decide", "decide"] == "done"


def test_the_graph_of_the_third_system_teaches_its_cell_network(world):
    done = cellwise.run(
        world,
        out=world.parent / "graph",
        recipe="hpa-graph-denoise-small",
        # After one epoch cells hardly differ, and no label lies further off than the slack.
        settings=[
            "segment.name=watershed", "field.epochs=1", "cell.epochs=1", "denoised.by.slack=0.001",
        ],
    )  # fmt: skip
    run = RunFolder(done.path)
    counts = {s["name"]: s["counts"] for s in json.loads(run.record.read_text())["steps"]}
    # A graph for the cells of each of two networks, and no figure passed off as held out.
    assert len(counts["denoised"]["graphs"]) == 2
    assert counts["denoised"]["method"] == "spectral"
    assert "made_without_each_of" not in counts["denoised"]
    soft, denoised = (read_table(run.labels(n), LABELS) for n in ("soft", "denoised"))
    assert soft.select("site_id", "cell_id").equals(denoised.select("site_id", "cell_id"))
    moved = np.abs(soft["label"].to_numpy() - denoised["label"].to_numpy())
    assert 0 < moved.max() <= 1
    # What the field was not given may be shown all the same, as in the source.
    assert (np.stack(soft["label"].to_list()) > 0).all()
    assert (denoised["label"].to_numpy() > 0).mean() > 0.9
    assert run.candidates("denoised").is_file()


def test_cells_that_pass_a_threshold_teach_and_a_second_cycle_adds_to_them(world):
    done = cellwise.run(
        world,
        out=world.parent / "cycles",
        recipe="hpa-cam-cycles-small",
        # Of networks that learned for an epoch hardly a cell reaches the levels of the recipe.
        settings=[
            "segment.name=watershed", "cells.size=24",
            *(f"{name}.epochs=1" for name in ("field", "cell1", "cell2")),
            *(f"{name}.precision=fp32" for name in ("field", "maps", "cell1", "cell2")),
            "cycle1.by.least=0.2", "cycle2.by.least=0.01", "cycle2.by.margin=0",
        ],
    )  # fmt: skip
    run = RunFolder(done.path)
    steps = json.loads(run.record.read_text())["steps"]
    counts = {(s["kind"], s["name"]): s["counts"] for s in steps}
    first, second = (counts["label", name] for name in ("cycle1", "cycle2"))
    assert 0 < first["labelled"] < second["labelled"]
    assert second["labelled_before_of_class"] == first["labelled_of_class"]
    sites = read_table(run.sites, SITES).unique("site_id", keep="first")
    given = dict(sites.select("site_id", "labels").iter_rows())
    for name, count in (("cycle1", first), ("cycle2", second)):
        labels = read_table(run.labels(name), LABELS)
        shown = labels["label"].to_numpy()
        assert set(shown.sum(axis=1).tolist()) <= {0.0, 1.0}
        for site, row in zip(labels["site_id"], shown, strict=True):
            assert {CLASSES[c] for c in np.flatnonzero(row)} <= set(given[site])
        apart = labels.filter(pl.col("reason") == "unassigned")
        assert apart.height == count.get("unassigned", 0)
        assert apart.filter(pl.col("weight") > 0).is_empty()
        assert int(shown.any(axis=1).sum()) == count["labelled"]
    # Only cells with a label, and those of Negative fields, were learned.
    assert counts["train", "cell1"]["items"] == first["cells"] - first.get("unassigned", 0)
    page = run.report.read_text(encoding="utf-8")
    part = page[page.index('id="cell_labels"') :]
    part = part[: part.index("</section>")]
    assert "Set apart" in part
    assert f'<td class="number">{second["labelled"]}</td>' in part


def precision_of(by_heart, name):
    """Macro average precision over the fields that were learned."""
    classes = read_classes(by_heart.scores(name), SCORES)
    sites = read_table(by_heart.sites, SITES).unique("site_id", keep="first")
    labels = dict(
        sites.filter(pl.col("labels").is_not_null()).select("site_id", "labels").iter_rows()
    )
    assert len(labels) == 8
    scores = read_table(by_heart.scores(name), SCORES)
    names = sorted(labels)
    # A bag is as its best cell.
    logits = np.stack(
        [
            np.stack(scores.filter(pl.col("site_id") == site)["score"].to_list()).max(0)
            for site in names
        ]
    )
    targets = np.array([[c in labels[site] for c in classes] for site in names], np.float32)
    assert ((targets.sum(0) > 0) & (targets.sum(0) < 8)).sum() >= 4, (
        "classes that can be told apart"
    )
    weights = np.ones(len(names), np.float32)
    return macro_average_precision(logits, targets, weights)


def test_the_mixed_recipe_of_the_how_to_runs_as_it_stands_there(world):
    written = re.search(r"```yaml\n(.*?)```", HOW_TO.read_text(), re.DOTALL).group(1)
    path = world.parent / "mixed.yaml"
    path.write_text(written)
    done = cellwise.run(
        world,
        out=world.parent / "mixed",
        recipe=str(path),
        settings=["puzzle.epochs=1", "cell.epochs=1"],
    )
    run = RunFolder(done.path)
    soft = np.stack(read_table(run.labels("soft"), LABELS)["label"].to_list())
    assert ((soft > 0.01) & (soft < 0.99)).any(), "labels of cells come from the class maps"
    assert read_table(run.scores("cell"), SCORES).height > 0
    assert "Where each class was seen" in run.report.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=pytest.mark.slow) for name in LEARNERS),
        *(f"{name}-small" for name in LEARNERS),
    ],
)
def test_every_part_of_a_learner_is_built_and_gives_a_gradient(name):
    recipe = resolve(load_recipe(name))
    for step in recipe.of_kind("score"):
        scorers.build(step.options["by"])
    for step in recipe.of_kind("label"):
        labellers.build(step.options["by"])
    for spec in recipe.of_kind("decide")[0].options["adjust"]:
        adjusters.build(spec)
    assert recipe.of_kind("cells")[0].options["crops"]
    assert [step.kind for step in recipe.steps][-3:] == ["decide", "evaluate", "report"]
    done = set()
    for step in recipe.of_kind("train"):
        spec = json.dumps(
            [step.options[word] for word in ("net", "task", "loss", "augment", "channels")]
        )
        if spec not in done:
            done.add(spec)
            one_step(step.checked)


def within_a_test(net, channels):
    """The network without published weights, which no test may fetch, and of a small member.

    The one that the recipe names is made without its numbers.
    """
    if isinstance(net, str):
        return net
    own = {option: value for option, value in net.items() if option != "pretrained"}
    with torch.device("meta"):
        nets.build(own)(channels, len(CLASSES))
    return {k: SMALLER.get(v, v) if k == "model" else v for k, v in own.items()}


def one_step(options):
    """Augmentation, loss and gradient of a batch of noise: as the recipe says, on few pixels."""
    chosen = CHANNELS
    if options.channels != "all":
        chosen = tuple(c for c in CHANNELS if c.role in options.channels)
        assert len(chosen) == len(options.channels)
    torch.manual_seed(0)
    net = nets.build(within_a_test(options.net, len(chosen)))(len(chosen), len(CLASSES))
    task_spec = dict(options.task) if isinstance(options.task, dict) else {"name": options.task}
    side = 128 if "size" in task_spec else 64
    task = tasks.build({**task_spec, "size": side} if "size" in task_spec else task_spec)
    cells = task_spec.get("cells", 1)
    count = 2 * cells
    pixels, targets = torch.rand(count, len(chosen), side, side), torch.zeros(count, len(CLASSES))
    targets[:cells, 7] = targets[cells:, 2] = 1
    panel = Panel(chosen, CLASSES)
    for spec in options.augment:
        small = {**spec, "side": side} if isinstance(spec, dict) and "side" in spec else spec
        change = bound(augmentations.build(small), panel)
        pixels, targets = change(pixels, targets, [np.random.default_rng(n) for n in range(count)])
    fields = targets[::cells]
    truth = Truth(targets, torch.ones(count), fields, torch.ones(2, len(CLASSES)))
    loss = losses.build(options.loss)
    if task.objective is not None:
        batch_loss = task.objective(net, pixels, truth, loss, 0.5)
    else:
        batch_loss = task.batch_loss(net(pixels).logits, truth, loss)
    batch_loss.backward()
    norms = [float(p.grad.norm()) for p in net.parameters() if p.grad is not None]
    assert np.isfinite(batch_loss.item())
    assert np.isfinite(norms).all()
    assert max(norms) > 0

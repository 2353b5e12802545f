"""The key of each step: what its result depends on, and nothing else."""

from pathlib import Path
from typing import Any

import polars as pl

from cellwise.domain.tables import FOLDS
from cellwise.flow.pipeline.keys import (
    combine,
    digest,
    file_digest,
    file_keys,
    frame_digest,
    listing_digest,
)
from cellwise.flow.pipeline.state import State, log_name, step_module
from cellwise.flow.recipe.resolve import Step
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table

# The other steps draw nothing at random and run on the CPU: another seed leaves them as they are.
_DRAWING = ("split", "label", "train", "score", "decide", "evaluate", "report")
_ON_DEVICE = ("train", "score")


def base_key(step: Step, *, state: State) -> str:
    """Options and version of a step, seed and device where they matter; contents for paths."""
    options = dict(step.options)
    if step.kind == "read" and options.get("labels"):
        options["labels"] = file_digest(Path(options["labels"]))
    if step.kind == "segment" and options.get("masks"):
        options["masks"] = listing_digest(Path(options["masks"]))
    if step.kind == "label" and options.get("truth"):
        options["truth"] = listing_digest(Path(options["truth"]))
    module = step_module(step.kind)
    seed = state.request.seed if step.kind in _DRAWING else None
    device = state.request.device if step.kind in _ON_DEVICE else None
    beside: list[str] = []
    if step.kind == "segment":
        beside = module.key_parts(options, state.request.device)
        options = module.key_options(options)
    return digest(step.kind, module.VERSION, options, seed, device, *beside)


def pretrained_file(step: Step) -> Path | None:
    """The user's own file that a train step's network begins with, if it names one."""
    net = step.options.get("net")
    name = net.get("pretrained") if isinstance(net, dict) else None
    return Path(name) if isinstance(name, str) and name else None


def site_keys(step: Step, *, state: State) -> dict[str, str]:
    """The key of every site that a site step has to treat."""
    base = base_key(step, state=state)
    if step.kind == "segment":
        return {site: digest(base, key) for site, key in file_keys(state.sites()).items()}
    upstream = log_name(state.request.recipe.of_kind("segment")[0])
    keys = state.site_keys[upstream]
    return {site: digest(base, keys[site]) for site in state.active("segment")}


def table_key(step: Step, *, state: State) -> str:
    """The key of a table step."""
    base = base_key(step, state=state)
    run = state.run
    if step.kind == "read":
        return digest(base, state.listing)
    base = digest(base, _classes(state))
    if step.kind == "split":
        return digest(base, _site_facts(state), file_digest(run.pixels))
    if step.kind == "label":
        scores = [file_digest(run.scores(name)) for name in _names(step.options.get("from"))]
        return digest(base, _labels(state), _cells(state, labelled=True), scores)
    if step.kind == "train":
        labels = file_digest(run.labels(str(step.options.get("labels", ""))))
        start = step.options.get("start") or ""
        models = _models(run, str(start)) if start else ""
        cells = _cells(state, labelled=True)
        parts = [base, _labels(state), cells, labels, _folds(state), models]
        begun = pretrained_file(step)
        return digest(*parts, *([] if begun is None else [file_digest(begun)]))
    if step.kind == "score":
        home = RunFolder(state.request.fitted) if state.request.fitted else run
        models = _models(home, str(step.options.get("model")))
        # The fields whose class maps are kept are chosen by their labels.
        labels = _labels(state) if step.options.get("maps") else ""
        return digest(base, _cells(state, labelled=False), models, file_digest(run.folds), labels)
    return digest(base, _all_tables(step, state=state))


def _classes(state: State) -> str:
    """The class list of the folder: the order of every vector of labels and scores."""
    if not state.run.reading.is_file():
        return ""
    return digest(read_json(state.run.reading).get("classes"))


def _site_facts(state: State) -> str:
    frame = state.sites()
    metadata = [name for name in frame.columns if name.startswith("Metadata_")]
    return frame_digest(
        frame.select("site_id", "part", "labels", *metadata).unique().sort("site_id")
    )


def _labels(state: State) -> str:
    frame = state.sites().filter(pl.col("labels").is_not_null())
    return frame_digest(frame.select("site_id", "part", "labels").unique().sort("site_id"))


def _labelled(state: State) -> set[str]:
    frame = state.sites().filter(pl.col("labels").is_not_null())
    return set(frame["site_id"].to_list())


def _cells(state: State, *, labelled: bool) -> str:
    """What the cells of these sites depend on; unlabelled sites do not disturb a training."""
    keys = state.site_keys.get("cells", {})
    chosen = _labelled(state) if labelled else set(keys)
    return combine(f"{site} {keys[site]}" for site in state.active("cells") if site in chosen)


def _folds(state: State) -> str:
    if not state.run.folds.is_file():
        return ""
    frame = read_table(state.run.folds, FOLDS)
    return frame_digest(frame.filter(pl.col("site_id").is_in(list(_labelled(state)))))


def _models(run: RunFolder, name: str) -> str:
    folder = run.path / "models" / name
    return combine(f"{p.parent.name} {file_digest(p)}" for p in sorted(folder.glob("*/model.json")))


def _all_tables(step: Step, *, state: State) -> dict[str, Any]:
    """Digests of the tables that `decide`, `evaluate` and `report` look at."""
    run = state.run
    tables: dict[str, Any] = {"sites": _site_facts(state), "folds": file_digest(run.folds)}
    tables["cells"] = _cells(state, labelled=False)
    if step.kind == "decide":
        home = RunFolder(state.request.fitted) if state.request.fitted else None
        tables["fitted"] = file_digest(home.decision(step.name)) if home else ""
        names = [name for word in ("from", "field") for name in _names(step.options.get(word))]
        tables["scores"] = [file_digest(run.scores(name)) for name in names]
        return tables
    tables["predictions"] = [file_digest(p) for p in sorted(run.path.glob("predictions*.parquet"))]
    tables["wells"] = [file_digest(p) for p in sorted(run.path.glob("wells*.parquet"))]
    tables["decisions"] = [file_digest(p) for p in sorted(run.path.glob("decisions/*.json"))]
    if step.kind == "report":
        beside = (run.reading, run.pixels, run.metrics)
        named = [run.path / name for name in ("split.json", "evaluation.json")]
        tables["beside"] = [file_digest(path) for path in (*beside, *named)]
        tables["maps"] = [file_digest(p) for p in sorted(run.path.glob("scores/*.maps.npz"))]
        tables["recipe"] = state.request.recipe.digest
        tables["errors"] = state.errors()
    return tables


def _names(value: Any) -> list[str]:
    if not value:
        return []
    return [value] if isinstance(value, str) else [str(name) for name in value]

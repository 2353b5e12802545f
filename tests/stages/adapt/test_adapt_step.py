"""Adapting a network to plates and experiments, and scoring by it: order, company, what is lit."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from cellwise.contracts.network import Asked
from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.steps import Finished, Job
from cellwise.domain.tables import FOLDS, SCORES, SITES
from cellwise.errors import BadOption, FormatError, PreflightError
from cellwise.parts.nets import nets
from cellwise.parts.panel import load_panel
from cellwise.parts.tiles import tiles_of
from cellwise.stages.adapt import step as adapt
from cellwise.stages.adapt.spec import Options
from cellwise.stages.score import step as score
from cellwise.stages.score.spec import Options as ScoreOptions
from cellwise.store.run.adapted import Adapted
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import ModelCard, write_model
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import read_table, write_table

SIDE, TILE = 64, 32
CLASSES = ("a", "b", "c")
CHANNELS = (Channel("w1", "nucleus"), Channel("w2", "er"))
NET = {"name": "backbone", "model": "test_resnet", "head": "class_map"}


def write_run(folder, *, wells=3, controls=True):
    """Two experiments of two plates, the same pictures in each, lit more from plate to plate."""
    run, images = RunFolder(folder / "run"), folder / "images"
    images.mkdir(parents=True)
    sites = []
    for e in range(2):
        for p in range(2):
            for w in range(wells):
                rng = np.random.default_rng(w)
                site, files = f"E{e}_{p}_B{w:02d}_1", []
                for channel in CHANNELS:
                    shapes = np.kron(rng.integers(0, 100, (8, 8)), np.ones((8, 8)))
                    light = 20 + shapes * (1 + 0.6 * p + 0.3 * e)
                    name = f"{site}_{channel.name}.png"
                    Image.fromarray(light.astype(np.uint8)).save(images / name)
                    files.append(ChannelFile(channel, (name,)))
                kind = "negative_control" if controls and w == 0 else "treatment"
                meta = {"Experiment": f"E{e}", "Plate": f"E{e}_{p}", "Well": f"B{w:02d}",
                        "WellType": kind}  # fmt: skip
                sites.append(Site(site, site, tuple(files), "train", (CLASSES[w % 3],), meta))
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    run.reading.write_text(json.dumps({"classes": {"names": CLASSES, "negative": None}}))
    rows = [(site.id, int(site.id[1]), site.metadata["Experiment"]) for site in sites]
    schema = {"site_id": pl.String, "fold": pl.Int32, "group": pl.String}
    write_table(run.folds, FOLDS, pl.DataFrame(rows, schema=schema, orient="row"))
    return run, sites


def write_net(run, fold, net=NET, part=""):
    torch.manual_seed(7)
    made = nets.build(net)(len(CHANNELS), len(CLASSES)).train()
    with torch.no_grad():
        for _ in range(3):
            made(0.3 + torch.rand(4, len(CHANNELS), TILE, TILE))
    weights = {name: value.numpy() for name, value in made.state_dict().items()}
    normal = {"mode": "standard", "mean": [0.3, 0.3], "std": [0.2, 0.2]}
    card = ModelCard(
        CLASSES, None, CHANNELS, normal, net, "tile", "site", {"size": SIDE, "tile": TILE},
        "net", fold, 0, "",
        part={"column": "Metadata_Experiment", "value": part} if part else {},
    )  # fmt: skip
    write_model(run.model("net", fold, part), weights, card)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapt")
    run, sites = write_run(folder)
    for fold in (0, 1):
        write_net(run, fold)
    adapted(run, folder)
    return folder, run, sites


def adapted(run, folder, name="adapt", **options):
    chosen = Options.of({"model": "net", "threads": 1, "batch": 8, **options}).model_dump()
    job = Job(run.path, folder / "images", name, chosen, "key", 0)
    return adapt.work(job, lambda *_: None)


def scored(run, folder, sites, name="s", **options):
    chosen = {"model": "net", "by": "tiles", "threads": 1, **options}
    job = Job(run.path, folder / "images", name, ScoreOptions.of(chosen).model_dump(), name, 0)
    records = score.work(sites, job)
    assert all(record.error is None for record in records)
    score.finish(job, {site.id: Finished(name, {"fields": 1}) for site in sites})
    score.settle(job, {name})
    return read_table(run.scores(name), SCORES)


def logits(frame):
    return dict(zip(frame["site_id"], np.array(frame["score"].to_list()), strict=True))


def test_sites_are_scored_without_cells_by_the_model_that_left_them_out(made):
    folder, run, sites = made
    frame = scored(run, folder, sites)
    assert len(frame) == len(sites)
    assert set(frame["unit"]) == {"site"}
    assert frame["fold"].to_list() == [int(site[1]) for site in frame["site_id"]]
    assert not run.cells.exists()


def test_adapted_answers_do_not_depend_on_order_or_company(made):
    folder, run, sites = made
    whole = logits(scored(run, folder, sites, adapted="adapt"))
    turned = logits(scored(run, folder, sites[::-1], name="t", adapted="adapt",
                           by={"name": "tiles", "batch": 1}))  # fmt: skip
    alone = {}
    for site in sites[::5]:
        alone |= logits(scored(run, folder, [site], name="one", adapted="adapt"))
    for site, values in whole.items():
        np.testing.assert_allclose(turned[site], values, atol=1e-5)
        assert turned[site].argmax() == values.argmax()
    for site, values in alone.items():
        np.testing.assert_allclose(values, whole[site], atol=1e-5)


def test_statistics_of_a_plate_take_its_light_away(made):
    folder, run, sites = made
    adapted(run, folder, "plates", by="plate", batch=64)
    plain = logits(scored(run, folder, sites))
    own = logits(scored(run, folder, sites, name="p", adapted="plates"))

    def apart(found):
        """Of the same well on two plates, in units of what tells wells apart."""
        one, two = (np.array([found[f"E0_{p}_B{w:02d}_1"] for w in range(3)]) for p in range(2))
        return abs(one - two).mean() / one.std(axis=0).mean()

    assert apart(own) < 0.3 * apart(plain)


def test_the_network_serves_others_unchanged(made):
    folder, run, sites = made
    before = logits(scored(run, folder, sites))
    scored(run, folder, sites, name="a", adapted="adapt")
    after = logits(scored(run, folder, sites))
    assert all((before[site] == after[site]).all() for site in before)


def test_experiments_have_statistics_of_the_models_that_judge_them(made):
    _, run, _ = made
    kept = Adapted(run.adapted("adapt"))
    assert kept.by == "experiment"
    assert kept.groups == ["E0", "E1"]
    assert kept.read("E0", "fold0") is not None
    assert kept.read("E0", "fold1") is None
    assert kept.read(None, "fold0") is None


def test_controls_are_looked_at_alone_and_none_is_refused(made, tmp_path):
    folder, run, _ = made
    counts = adapted(run, folder, "controls", by="plate", on="controls")
    assert counts["sites"] == 4
    assert counts["plates"] == 4
    few = adapted(run, folder, "few", sites=2)
    assert few["sites"] == 4
    other, _ = write_run(tmp_path, controls=False)
    shutil.copytree(run.path / "models", other.path / "models")
    with pytest.raises(PreflightError, match="no control wells"):
        adapted(other, tmp_path, on="controls")


def test_a_network_without_batch_normalisation_is_refused(tmp_path):
    run, _ = write_run(tmp_path, wells=1)
    write_net(run, None, {"name": "tiny", "width": 8})
    with pytest.raises(BadOption, match="no batch normalisation"):
        adapted(run, tmp_path)


def test_a_torn_file_of_statistics_is_refused(made, tmp_path):
    folder, run, sites = made
    path = run.adapted("torn")
    path.write_bytes(run.adapted("adapt").read_bytes()[:100])
    with pytest.raises(FormatError, match="Let its step run again"):
        scored(run, folder, sites, name="x", adapted="torn")
    with pytest.raises(FormatError, match="cannot be read"):
        Adapted(tmp_path / "none.safetensors")


@pytest.mark.parametrize("options", [{"threads": 0}, {"sites": -1}, {"batch": 1}, {"model": ""}])
def test_settings_that_cannot_work_are_refused(options):
    with pytest.raises(BadOption, match=next(iter(options))):
        Options.of({"model": "net", **options})


def test_adapted_goes_with_tiles():
    with pytest.raises(BadOption, match="tiles"):
        ScoreOptions.of({"model": "net", "by": "cell_net", "adapted": "adapt"})


def test_whole_sites_are_embedded_by_the_model_that_left_them_out(made):
    from cellwise.stages.embed import step as embed
    from cellwise.store.run.embeddings import Embeddings

    folder, run, sites = made
    options = {"name": "tiles", "model": "net", "threads": 1, "dtype": "float32"}
    job = Job(run.path, folder / "images", "seen", options, "key", 0)
    records = embed.work(sites, job)
    embed.finish(job, {r.site_id: Finished("key", r.counts) for r in records})
    kept = Embeddings(run.embeddings("seen"))
    assert len(kept) == len(sites)
    assert kept.index["fold"].to_list() == [int(site[1]) for site in kept.index["site_id"]]
    pixels = torch.from_numpy(
        np.stack([np.asarray(Image.open(folder / "images" / f"{sites[0].id}_{c.name}.png"))
                  for c in CHANNELS])
    )[None] / 255  # fmt: skip
    model = load_panel(run, "net", "cpu").models[0].network
    with torch.inference_mode():
        seen = model(tiles_of(pixels, TILE)[0], Asked.EMBEDDING).embedding.mean(0)
    np.testing.assert_allclose(kept.read(np.arange(1))[0], seen, atol=1e-4)


def test_models_of_an_experiment_are_adapted_to_and_embed_its_own_sites_only(tmp_path):
    from cellwise.stages.embed import step as embed
    from cellwise.store.run.embeddings import Embeddings

    run, sites = write_run(tmp_path)
    for value in ("E0", "E1"):
        write_net(run, None, part=value)
    counts = adapted(run, tmp_path)
    kept = Adapted(run.adapted("adapt"))
    assert counts["models"] == 2
    assert [[kept.read(group, f"all-{value}") is not None for value in ("E0", "E1")]
            for group in ("E0", "E1")] == [[True, False], [False, True]]  # fmt: skip
    options = {"name": "tiles", "model": "net", "adapted": "adapt", "threads": 1}
    job = Job(run.path, tmp_path / "images", "seen", options, "key", 0)
    records = embed.work(sites, job)
    embed.finish(job, {r.site_id: Finished("key", r.counts) for r in records})
    index = Embeddings(run.embeddings("seen")).index
    assert [name.endswith(site[:2]) for site, name in index.select("site_id", "model").rows()] == [
        True
    ] * len(sites)

"""Training: it learns, repeats, goes on after an interruption, and its file says what it is."""

import numpy as np
import pytest
from tests.masked_images import write_pairs

from cellwise.app.train_segmenter import _fit
from cellwise.app.train_segmenter.cross_validate import (
    deal_folds,
    held_out_figures,
    tally,
    trained_segmenter,
)
from cellwise.app.train_segmenter.data import read_annotated
from cellwise.app.train_segmenter.train import TrainRequest, train_segmenter
from cellwise.errors import PreflightError, UsageError
from cellwise.kernels.matching import f1_at
from cellwise.store.network_weights import read_network, read_network_card

pytestmark = pytest.mark.slow


def silent(done, total, note):
    pass


@pytest.fixture
def short(monkeypatch):
    """Epochs of a few batches."""
    monkeypatch.setattr(_fit, "STEPS", 3)


def request_for(folder, out, **options):
    return TrainRequest((folder,), out, **{"epochs": 2, "batch": 2, "width": 4, **options})


def test_a_short_training_finds_the_nuclei_of_its_images(tmp_path, monkeypatch):
    monkeypatch.setattr(_fit, "STEPS", 120)
    data = write_pairs(tmp_path / "data", side=128, count=10, radius=9)
    out = tmp_path / "own.safetensors"
    train_segmenter(request_for(data, out, epochs=1, width=12, learning_rate=5e-3), silent)
    segment = trained_segmenter(out)
    for one in read_annotated([data]):
        assert f1_at(segment(one.field).nuclei, one.nuclei)[0].f1 >= 0.6
    assert not (tmp_path / "own.training").exists()


def test_the_same_words_give_the_same_weights_and_another_seed_others(tmp_path, short):
    data = write_pairs(tmp_path / "data")
    outs = [tmp_path / f"{name}.safetensors" for name in ("one", "two", "other")]
    for out, seed in zip(outs, (0, 0, 1), strict=True):
        train_segmenter(request_for(data, out, seed=seed), silent)
    one, two, other = (read_network(out)[1] for out in outs)
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not all(np.array_equal(one[name], other[name]) for name in one)


def test_a_resumed_training_equals_an_undisturbed_one(tmp_path, short):
    data = write_pairs(tmp_path / "data")
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    train_segmenter(request_for(data, whole), silent)

    def stop(done, total, note):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_segmenter(request_for(data, broken), stop)
    assert not broken.exists()
    seen = []
    train_segmenter(request_for(data, broken), lambda done, total, note: seen.append((done, total)))
    assert seen == [(4, 6), (5, 6), (6, 6)]
    expected, found = read_network(whole)[1], read_network(broken)[1]
    assert all(np.array_equal(expected[name], found[name]) for name in expected)


def test_figures_are_not_asked_of_a_training_that_goes_on(tmp_path):
    data = write_pairs(tmp_path / "data")
    base = tmp_path / "base.safetensors"
    with pytest.raises(UsageError, match="may have learned"):
        train_segmenter(request_for(data, tmp_path / "o.safetensors", folds=2, start=base), silent)


def test_the_card_says_what_was_done(tmp_path, short):
    data = write_pairs(tmp_path / "data", seeds=(0, 1, 2))
    out = tmp_path / "own.safetensors"
    facts = train_segmenter(request_for(data, out, folds=3, command=("cellwise", "x")), silent)
    card = read_network_card(out)
    assert card.net == {"name": "small_unet", "planes": 3, "maps": 6, "width": 4}
    assert card.facts["command"] == "cellwise x"
    assert card.facts["pictures"] == 3
    assert card.facts["cells"] is False
    assert str(tmp_path) not in str(card.facts)
    measures = {row["measure"] for row in facts["held_out"]}
    assert measures == {row["measure"] for row in card.facts["held_out"]}
    assert len(measures) == 3
    page = out.with_suffix(".md").read_text()
    assert "| data | 3 |" in page
    assert "cellwise x" in page


def test_training_goes_on_from_other_weights(tmp_path, short):
    data = write_pairs(tmp_path / "data")
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    train_segmenter(request_for(data, first), silent)
    train_segmenter(request_for(data, second, start=first, epochs=1), silent)
    one, two = read_network(first)[1], read_network(second)[1]
    apart = np.mean([np.abs(one[name] - two[name]).mean() for name in one if "weight" in name])
    assert 0 < apart < 0.05


def test_held_out_images_were_not_seen(tmp_path, short, monkeypatch):
    data = write_pairs(tmp_path / "data", seeds=(0, 1, 2, 3))
    annotated = read_annotated([data])
    request = request_for(data, tmp_path / "own.safetensors", folds=2)
    seen, judged = [], []
    from cellwise.app.train_segmenter import cross_validate
    from cellwise.app.train_segmenter.train import train_one as real

    def train_one(request, kept, out, report, **options):
        seen.append({one.name for one in kept})
        return real(request, kept, out, report, **options)

    def judge(one, segment):
        judged.append((len(seen), one.name))
        return tally(one, segment)

    monkeypatch.setattr(cross_validate, "train_one", train_one)
    monkeypatch.setattr(cross_validate, "tally", judge)
    held_out_figures(request, annotated, silent)
    assert sorted(name for _, name in judged) == ["p0", "p1", "p2", "p3"]
    assert all(name not in seen[fold - 1] for fold, name in judged)


def test_folds_of_another_request_are_not_taken_over(tmp_path, monkeypatch):
    """They may have seen what is held out here."""
    data = write_pairs(tmp_path / "data", seeds=(0, 1, 2, 3))
    annotated = read_annotated([data])
    from cellwise.app.train_segmenter import cross_validate

    trained = []

    def train_one(request, kept, out, report, **options):
        trained.append(out.name)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(b"weights")

    monkeypatch.setattr(cross_validate, "train_one", train_one)
    for seed, times in ((0, 1), (0, 1), (7, 2)):
        request = request_for(data, tmp_path / "own.safetensors", folds=2, seed=seed)
        folds = deal_folds(annotated, 2, seed=seed)
        cross_validate.train_fold(request, annotated, folds, 0, silent)
        assert len(trained) == len(set(trained)) == times


def test_groups_are_never_parted_and_each_folder_reaches_each_fold(tmp_path):
    write_pairs(tmp_path / "a", seeds=range(6))
    write_pairs(tmp_path / "b", seeds=(0, 7, 8))
    (tmp_path / "a" / "fields.csv").write_text("image,group\np0,x\np1,x\np2,y\np3,y\np4,z\np5,z\n")
    annotated = read_annotated([tmp_path / "a", tmp_path / "b"])
    folds = deal_folds(annotated, 3, seed=0)
    for source in ("a", "b"):
        own = [f for f, one in zip(folds, annotated, strict=True) if one.source.endswith(source)]
        assert set(own) == {0, 1, 2}
    by_group = {}
    for fold, one in zip(folds, annotated, strict=True):
        assert by_group.setdefault(one.group, fold) == fold


def test_more_folds_than_groups_are_refused(tmp_path):
    data = write_pairs(tmp_path / "data")
    with pytest.raises(PreflightError, match="2 groups"):
        deal_folds(read_annotated([data]), 3, seed=0)


@pytest.mark.parametrize(
    ("options", "word"),
    [({"folds": 1}, "--folds"), ({"epochs": 0}, "--epochs"), ({"batch": 0}, "--batch")],
)
def test_impossible_requests_are_refused(tmp_path, options, word):
    with pytest.raises(UsageError, match=word):
        request_for(tmp_path, tmp_path / "own.safetensors", **options)


def test_the_file_has_the_ending_of_weights(tmp_path):
    with pytest.raises(UsageError, match="safetensors"):
        request_for(tmp_path, tmp_path / "own.pth")

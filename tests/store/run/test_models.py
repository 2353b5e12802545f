"""Model bundles: whole or not at all, checked by hash, never taken for what they are not."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cellwise.domain.channels import Channel
from cellwise.errors import FormatError, PreflightError
from cellwise.store.run.models import (
    CARD_FILE,
    WEIGHTS_FILE,
    ModelCard,
    channel_positions,
    check_classes,
    read_beside,
    read_card,
    read_model,
    verify_model,
    write_model,
)

CARD = ModelCard(
    classes=("Golgi", "Nuclear"),
    negative="Negative",
    channels=(Channel("dna", "nucleus"), Channel("Ch7")),
    normalisation={"mode": "crop_mean", "mean": [1.0, 0.9], "std": [0.5, 1.5]},
    net={"name": "tiny", "width": 8},
    task="cell",
    unit="cell",
    crop={"size": 40},
    step="model",
    fold=1,
    seed=0,
    version="0.1.0",
    training={"losses": [0.7, 0.5]},
)
WEIGHTS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(1, np.float32)}


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "models" / "model" / "fold1"
    write_model(folder, WEIGHTS, CARD)
    return folder


def test_a_bundle_comes_back_as_it_was(bundle):
    card, weights = read_model(bundle)
    assert card == CARD
    assert weights.keys() == WEIGHTS.keys()
    assert all(np.array_equal(weights[name], WEIGHTS[name]) for name in WEIGHTS)
    verify_model(bundle)


def test_equal_models_are_equal_files(bundle, tmp_path):
    # A run that goes on reads its options by name, in whatever order the recipe has them.
    turned = replace(CARD, net={"width": 8, "name": "tiny"})
    write_model(tmp_path / "other", dict(reversed(WEIGHTS.items())), turned)
    for name in (WEIGHTS_FILE, CARD_FILE):
        assert (tmp_path / "other" / name).read_bytes() == (bundle / name).read_bytes()


def test_writing_again_replaces_the_bundle_and_leaves_nothing_behind(bundle):
    write_model(bundle, {"b": np.zeros(1, np.float32)}, replace(CARD, seed=5))
    card, weights = read_model(bundle)
    assert (card.seed, list(weights)) == (5, ["b"])
    assert [path.name for path in bundle.parent.iterdir()] == ["fold1"]


def test_a_failed_write_leaves_the_old_bundle(bundle, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cellwise.store.run.models.write_text", full)
    with pytest.raises(OSError, match="No space"):
        write_model(bundle, {"b": np.zeros(1, np.float32)}, CARD)
    assert read_model(bundle)[0] == CARD
    assert [path.name for path in bundle.parent.iterdir()] == ["fold1"]


@pytest.mark.parametrize("damage", ["one bit", "cut", "empty", "gone"])
def test_damaged_weights_are_refused(bundle, damage):
    path = bundle / WEIGHTS_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"one bit": bytes(content), "cut": content[:-9], "empty": b""}[damage])
    with pytest.raises(FormatError, match=r"model\.safetensors"):
        read_model(bundle)
    with pytest.raises(FormatError):
        verify_model(bundle)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2}', '{"format": 1}', '{"format": "x"}']
)
def test_a_card_that_is_none_is_refused(bundle, text):
    (bundle / CARD_FILE).write_text(text)
    with pytest.raises(FormatError, match=r"model\.json"):
        read_card(bundle)


def test_a_folder_without_a_model_says_what_to_do(tmp_path):
    with pytest.raises(FormatError, match="train step"):
        read_model(tmp_path)


def test_the_card_is_plain_json_with_what_other_programs_look_for(bundle):
    content = json.loads((bundle / CARD_FILE).read_text())
    assert content["classes"] == ["Golgi", "Nuclear"]
    assert content["channels"] == [
        {"name": "dna", "role": "nucleus"},
        {"name": "Ch7", "role": None},
    ]
    assert len(content["sha256"]) == 64


def test_channels_are_found_by_key_in_any_order():
    here = [Channel("x", "er"), Channel("Ch7"), Channel("hoechst", "nucleus")]
    assert channel_positions(CARD, here) == [2, 1]


def test_a_missing_channel_is_named():
    with pytest.raises(PreflightError, match=r"'Ch7'.*found: nucleus, protein"):
        channel_positions(CARD, [Channel("dna", "nucleus"), Channel("gfp", "protein")])


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (("Golgi", "Nuclear", "Actin"), r"lacks \['Actin'\]"),
        (("Golgi",), r"\['Nuclear'\] beyond"),
        (("Nuclear", "Golgi"), "order"),
    ],
)
def test_other_classes_are_refused_by_name_never_by_position(classes, words):
    with pytest.raises(PreflightError, match=words):
        check_classes(CARD, classes)
    check_classes(CARD, ("Golgi", "Nuclear"))


def test_further_weights_come_back_by_name_and_are_checked(tmp_path):
    folder = tmp_path / "fold1"
    others = {"RPE": {"b": np.full(1, 2, np.float32)}, "A 1/2": {"b": np.full(1, 3, np.float32)}}
    write_model(folder, WEIGHTS, CARD, others)
    assert read_model(folder)[0] == CARD
    for name, weights in others.items():
        assert np.array_equal(read_beside(folder, name)["b"], weights["b"])
    assert read_beside(folder, "HUVEC") is None
    path = folder / "beside0.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match="beside0"):
        read_beside(folder, "A 1/2")
    path.unlink()
    with pytest.raises(FormatError, match="missing or damaged"):
        read_beside(folder, "A 1/2")

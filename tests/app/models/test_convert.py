"""`cellwise models convert`: what was published becomes ours, or is refused with its reason."""

import hashlib
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tests.app.models.published import (
    SMALL,
    Calls,
    in_legacy,
    in_zip,
    shapes,
    small_net,
    whole_model,
)
from typer.testing import CliRunner

from cellwise.app.cli import app
from cellwise.app.models import convert as conversion
from cellwise.app.models.agreement import disagreements
from cellwise.app.models.convert import PLANES, convert, expected_shapes
from cellwise.app.models.inert import Refused
from cellwise.app.models.torch_files import read_torch_file
from cellwise.errors import FormatError, UsageError
from cellwise.parts.pixel_maps import load_net
from cellwise.store import network_weights
from cellwise.store.network_weights import find_network, read_network, verify_network


@pytest.fixture(scope="module")
def net():
    return small_net()


@pytest.fixture(autouse=True)
def small_network(net, monkeypatch, tmp_path):
    """The recorded shapes are those of a small network, and the user's folder is empty."""
    monkeypatch.setattr(conversion, "expected_shapes", lambda: shapes(net))
    monkeypatch.setattr(network_weights, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("CELLWISE_MODELS", raising=False)


def test_the_recorded_list_is_that_of_a_network_of_139_million_weights():
    weights = sum(
        int(np.prod(shape, dtype=int))
        for name, shape in expected_shapes().items()
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
    )
    assert weights == 139_108_867


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_whole_model_becomes_weights_that_fit(net, tmp_path, legacy):
    source = whole_model(net, tmp_path / "dpn_unet_cell_3ch_v1.pth", legacy=legacy, parallel=True)
    target = tmp_path / "out" / "mine.safetensors"
    done = convert(source, target)
    assert (done.name, done.compared, done.tensors) == ("dpn_unet_cell", True, len(shapes(net)))
    assert done.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    card, tensors = read_network(target)
    assert card.net == {"name": "dpn_unet"}
    assert card.channels == ("microtubule", "er", "nucleus")
    assert card.facts["planes"] == ["microtubule", "er", "nucleus"]
    assert card.facts["source"]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    twin = load_net(SMALL, tensors)
    image = torch.rand(1, 3, 32, 64)
    torch.testing.assert_close(twin(image), net.eval()(image))


def test_a_plain_state_dict_and_safetensors_will_do(net, tmp_path):
    source = tmp_path / "weights.pth"
    torch.save({f"module.{k}": v for k, v in net.state_dict().items()}, source)
    one = convert(source, tmp_path / "one.safetensors", "dpn_unet_nuclei")
    assert not one.compared
    plain = {name: value.numpy() for name, value in net.state_dict().items()}
    save_file(plain, tmp_path / "plain.safetensors")
    convert(tmp_path / "plain.safetensors", tmp_path / "two.safetensors", "dpn_unet_nuclei")
    first, second = (read_network(tmp_path / f"{n}.safetensors")[1] for n in ("one", "two"))
    assert all(np.array_equal(first[name], second[name]) for name in plain)


def test_counts_that_old_torch_did_not_write_are_filled_in(net, tmp_path):
    weights = {k: v for k, v in net.state_dict().items() if not k.endswith("batches_tracked")}
    torch.save(weights, tmp_path / "nuclei.pth")
    convert(tmp_path / "nuclei.pth", tmp_path / "n.safetensors")
    load_net(SMALL, read_network(tmp_path / "n.safetensors")[1])


def test_another_network_is_described(net, tmp_path):
    weights = dict(net.state_dict())
    weights["final.0.bias"] = torch.zeros(5)
    weights["extra.weight"] = weights.pop("last_upsample.layer.1.bias")
    torch.save(weights, tmp_path / "nuclei.pth")
    with pytest.raises(FormatError) as caught:
        convert(tmp_path / "nuclei.pth", tmp_path / "n.safetensors")
    for words in (
        "1 missing (last_upsample.layer.1.bias)",
        "1 unexpected (extra.weight)",
        "1 of other shape (final.0.bias is 5 instead of 3)",
    ):
        assert words in str(caught.value)
    assert not (tmp_path / "n.safetensors").exists()


def test_weights_that_are_no_numbers_are_refused(net, tmp_path):
    weights = {k: v.clone() for k, v in net.state_dict().items()}
    weights["final.0.bias"][1] = float("nan")
    torch.save(weights, tmp_path / "nuclei.pth")
    with pytest.raises(FormatError, match=r"final\.0\.bias holds values"):
        convert(tmp_path / "nuclei.pth", tmp_path / "n.safetensors")


@pytest.mark.parametrize("wrap", [in_zip, in_legacy], ids=["zip", "legacy"])
def test_a_file_that_wants_to_run_something_is_refused_and_runs_nothing(wrap, tmp_path):
    import os

    marker = tmp_path / "marker"
    evil = pickle.dumps({"w": Calls(os.system, f"touch {marker}")}, 2)
    source = tmp_path / "nuclei.pth"
    source.write_bytes(wrap(evil))
    with pytest.raises(FormatError, match=r"nothing of it was run: it asks for \w+\.system"):
        convert(source, tmp_path / "n.safetensors")
    assert not marker.exists()
    assert not (tmp_path / "n.safetensors").exists()


def test_a_torn_file_is_named(net, tmp_path):
    source = whole_model(net, tmp_path / "nuclei.pth", legacy=True)
    content = source.read_bytes()
    for cut in (0, 100, len(content) // 2, len(content) - 1):
        source.write_bytes(content[:cut])
        with pytest.raises(FormatError, match="damaged or no file of torch"):
            convert(source, tmp_path / "n.safetensors")


def test_a_file_that_eats_memory_is_ended(tmp_path):
    # 64 GB of zeros, which no machine here would have to make.
    bomb = b"\x80\x05\x96" + (64 << 30).to_bytes(8, "little") + b"."
    source = tmp_path / "nuclei.pth"
    source.write_bytes(in_zip(bomb))
    with pytest.raises(FormatError, match="asks for more memory"):
        convert(source, tmp_path / "n.safetensors")


def test_a_place_far_beyond_the_end_of_the_pickle_costs_nothing():
    # The reader in C would make 32 GB of it.
    with pytest.raises(Refused, match="neither"):
        read_torch_file(io.BytesIO(in_zip(b"\x80\x02Nr\xff\xff\xff\x7f.")))


def test_the_reading_process_can_open_and_start_nothing(tmp_path):
    """Should a way be found around the reader, the doors are closed below it."""
    program = (
        "import os, socket, subprocess\n"
        "from cellwise.app.models.child import _closed\n"
        "tries = {\n"
        "  'os.system': lambda: os.system('true'),\n"
        "  'open': lambda: open('x', 'w'),\n"
        "  'subprocess.Popen': lambda: subprocess.Popen(['true']),\n"
        "  'socket': lambda: socket.socket(),\n"
        "  'compile': lambda: exec('1'),\n"
        "  'import': lambda: __import__('this'),\n"
        "}\n"
        "for name, attempt in tries.items():\n"
        "    try:\n"
        "        with _closed(PermissionError):\n"
        "            attempt()\n"
        "    except PermissionError as error:\n"
        "        assert name in str(error), (name, error)\n"
        "    else:\n"
        "        raise SystemExit(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_settings_that_shapes_do_not_show_are_compared(net, tmp_path):
    assert not disagreements({"a": {"class": "ReLU"}, "b": {"class": "BatchNorm2d", "eps": 1e-3}})
    wrong: dict[str, dict[str, object]] = {
        "act": {"class": "ELU"},
        "bn": {"class": "BatchNorm2d", "eps": 1e-5},
        "up": {"class": "Upsample", "mode": "bilinear", "scale_factor": 2.0},
        "encoder_stages.2.0.c3x3_b.conv": {"class": "Conv2d", "stride": (1, 1)},
        "final.0": {"class": "Conv2d", "stride": (1, 1), "dilation": (2, 2)},
    }
    assert [words.split(":")[0] for words in disagreements(wrong)] == list(wrong)
    other = small_net()
    other.encoder_stages[0][1].eps = 1e-5
    source = whole_model(other, tmp_path / "nuclei.pth")
    with pytest.raises(FormatError, match=r"encoder_stages\.0\.1: eps 1e-05 instead of 0\.001"):
        convert(source, tmp_path / "n.safetensors")


def test_wrong_words_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'dpn_unet_cell'"):
        convert(tmp_path / "x.pth", tmp_path / "x.safetensors", "dpn_unet_cel")
    with pytest.raises(UsageError, match="does not tell which network"):
        convert(tmp_path / "x.pth", tmp_path / "x.safetensors")
    with pytest.raises(UsageError, match=r"ends in \.safetensors"):
        convert(tmp_path / "nuclei.pth", tmp_path / "x.pt")
    with pytest.raises(UsageError, match=r"is not there"):
        convert(tmp_path / "nuclei.pth", tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("dpn_unet_nuclei_v1.pth", "dpn_unet_nuclei"),
        ("dpn_unet_cell_3ch_v1.pth", "dpn_unet_cell"),
        ("dpn_unet_cell_v2.pth", "dpn_unet_cell_2ch"),
    ],
)
def test_published_names_are_recognised(file, name, tmp_path):
    assert conversion.checked_name("", tmp_path / file) == name
    assert name in PLANES


def ended(*words):
    done = CliRunner().invoke(app, list(words))
    error = done.exception
    return getattr(error, "exit_code", done.exit_code), f"{done.output} {error}"


def test_from_the_command_line_to_a_name_that_is_found(net, tmp_path):
    source = whole_model(net, tmp_path / "dpn_unet_nuclei_v1.pth")
    code, said = ended("models", "convert", str(source))
    path = find_network("dpn_unet_nuclei")
    assert code == 0
    assert str(path) in said
    assert hashlib.sha256(path.read_bytes()).hexdigest() in said
    assert verify_network(path).name == "dpn_unet_nuclei"
    for verb, expected in (("list", path.stem), ("verify", "dpn_unet_nuclei  ok"), ("path", path)):
        code, said = ended("models", verb)
        assert code == 0
        assert str(expected) in said
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    code, said = ended("models", "verify")
    assert code == 4
    assert "damaged" in said


def test_one_file_that_is_not_usable_does_not_hide_the_others(net, tmp_path):
    source = whole_model(net, tmp_path / "dpn_unet_nuclei_v1.pth")
    assert ended("models", "convert", str(source))[0] == 0
    folder = find_network("dpn_unet_nuclei").parent
    save_file({"a": np.ones(2)}, folder / "a_foreign.safetensors")
    (folder / "b_torn.safetensors").write_bytes(b"torn")
    for verb, code in (("list", 0), ("verify", 4)):
        found, said = ended("models", verb)
        assert found == code
        lines = said.splitlines()
        assert lines[0].startswith("a_foreign  not usable: ")
        assert "no card of cellwise" in lines[0]
        assert lines[1].startswith("b_torn  not usable: ")
        assert lines[2].startswith("dpn_unet_nuclei  ")
        assert "not usable" not in lines[2]
    assert "2 of 3 cannot be used" in said


def test_no_weights_at_all_are_said_with_the_places():
    code, said = ended("models", "list")
    assert code == 4
    assert "There are no weights for segmenting in" in said
    assert ended("models", "pull")[0] == 2

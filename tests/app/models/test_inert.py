"""Reading pickles without running them: what torch writes comes out, everything else is refused."""

import builtins
import importlib
import io
import os
import pickle
import runpy
import subprocess
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.app.models.published import Calls, in_legacy, in_zip, small_net, whole_model

from cellwise.app.models.inert import Held, InertUnpickler, Refused
from cellwise.app.models.torch_files import read_torch_file

EVIL = {
    "os.system": (os.system, "touch {}"),
    "os.popen": (os.popen, "touch {}"),
    "subprocess.Popen": (subprocess.Popen, ["touch", "{}"]),
    "subprocess.check_output": (subprocess.check_output, ["touch", "{}"]),
    "builtins.eval": (builtins.eval, "open('{}', 'w')"),
    "builtins.exec": (builtins.exec, "open('{}', 'w')"),
    "builtins.open": (builtins.open, "{}", "w"),
    "builtins.getattr": (builtins.getattr, [], "append"),
    "builtins.__import__": (builtins.__import__, "os"),
    "importlib.import_module": (importlib.import_module, "os"),
    "runpy.run_path": (runpy.run_path, "{}"),
    "pickle.loads": (pickle.loads, b"."),
    "torch.load": (torch.load, "{}"),
    "torch.storage._load_from_bytes": (torch.storage._load_from_bytes, b"."),
    "numpy.fromfile": (np.fromfile, "{}"),
}


def inert(content):
    return InertUnpickler(io.BytesIO(content)).read()


@pytest.mark.parametrize("wrap", [in_zip, in_legacy], ids=["zip", "legacy"])
@pytest.mark.parametrize("what", EVIL)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_call_is_refused_by_name_and_not_made(what, wrap, protocol, tmp_path):
    marker = tmp_path / "marker"
    function, *words = EVIL[what]
    filled = [
        word.format(marker)
        if isinstance(word, str)
        else [part.format(marker) for part in word]
        if isinstance(word, list)
        else word
        for word in words
    ]
    evil = pickle.dumps({"weight": Calls(function, *filled)}, protocol)
    with pytest.raises(Refused, match=r"asks for|calls"):
        read_torch_file(io.BytesIO(wrap(evil)))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'true'\no.", "os.system"),
        (b"cposix\nsystem\n(S'true'\ntR.", "posix.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval"),
        (b"cmine.tools\nrun\n(S'true'\ntR.", "calls mine.tools.run"),
        (b"(S'true'\nimine.tools\nrun\n.", "calls mine.tools.run"),
        (b"\x80\x02cmine.tools\nrun\nU\x04true\x85\x81.", "mine.tools.run from arguments"),
        (b"\x80\x02cmine\nA\n)\x81U\x04textb.", "a state that is no dictionary"),
        (b"c..\n..\n.", "asks for"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(I1\nI0\n(I2\nt(I1\ntI00\nNtR.", "no storage"),
        (b"\x80\x02\x82\x01.", "extension|unregistered"),
        (b"S'anything'\nQ.", "no stored tensor"),
        (b"\x80\x02(U\x06modulecos\nsystem\ntQ.", "os.system"),
    ],
)
def test_hand_made_programs_are_refused(program, said):
    with pytest.raises((Refused, ValueError), match=said):
        inert(program)


def test_an_unknown_class_holds_state_and_does_nothing():
    held = inert(b"\x80\x02cmine.nets\nNet\n)\x81}U\x04sideK\x07sb.")
    assert isinstance(held, Held)
    assert type(held).__qualname__ == "Net"
    assert held.attributes == {"side": 7}
    with pytest.raises(Refused, match=r"mine\.nets\.Net"):
        type(held)()


def test_the_class_of_the_holder_cannot_be_altered():
    with pytest.raises(TypeError):
        inert(b"\x80\x02cmine.nets\nNet\n}U\x07__new__Nsb.")
    assert inert(b"\x80\x02cmine.nets\nNet\n)\x81.").attributes == {}


TENSORS = OrderedDict(
    {
        "f32": torch.arange(6, dtype=torch.float32).reshape(2, 3),
        "f64": torch.tensor([1.5, -2.5], dtype=torch.float64),
        "f16": torch.tensor([0.5, 2.0], dtype=torch.float16),
        "bf16": torch.tensor([1.0, -3.5], dtype=torch.bfloat16),
        "i64": torch.tensor(7),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "part": torch.arange(10.0)[3:7],
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "root",
    [TENSORS, {"epoch": 3, "state_dict": TENSORS}, {f"module.{k}": v for k, v in TENSORS.items()}],
    ids=["plain", "nested", "parallel"],
)
def test_tensors_of_every_kind_come_out(root, legacy):
    content = io.BytesIO()
    torch.save(root, content, _use_new_zipfile_serialization=not legacy)
    content.seek(0)
    found = read_torch_file(content).tensors
    assert set(found) == set(TENSORS)
    for name, tensor in TENSORS.items():
        expected = tensor.detach().float() if name == "bf16" else tensor.detach()
        np.testing.assert_array_equal(found[name], expected.numpy())
        assert found[name].dtype == expected.numpy().dtype


@given(
    shape=st.lists(st.integers(0, 4), max_size=4),
    order=st.permutations([0, 1, 2, 3]),
    legacy=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_any_view_of_a_tensor_comes_out(shape, order, legacy):
    count = int(np.prod(shape, dtype=int))
    tensor = torch.arange(count + 3.0)[2 : 2 + count].reshape(shape)
    tensor = tensor.permute([axis for axis in order if axis < len(shape)])
    content = io.BytesIO()
    torch.save({"x": tensor}, content, _use_new_zipfile_serialization=not legacy)
    content.seek(0)
    np.testing.assert_array_equal(read_torch_file(content).tensors["x"], tensor.numpy())


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_whole_model_of_a_lost_package_comes_out(legacy, parallel, tmp_path):
    net = small_net()
    path = whole_model(net, tmp_path / "model.pth", legacy=legacy, parallel=parallel)
    with pytest.raises((ModuleNotFoundError, AttributeError)):
        torch.load(path, weights_only=False)
    with path.open("rb") as stream:
        found = read_torch_file(stream)
    expected = net.state_dict()
    assert set(found.tensors) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found.tensors[name], value.numpy())
    assert "zoo_that_is_gone.unet.DpnUnet" in found.classes
    assert found.layers["encoder_stages.0.1"] == {"class": "BatchNorm2d", "eps": 1e-3}
    assert found.layers["encoder_stages.0.0"]["stride"] == (2, 2)
    assert found.layers["last_upsample.layer.0"]["mode"] == "nearest"


def test_torch_itself_neither_reads_nor_lists_an_older_whole_model(tmp_path):
    """The day that it does, `inert` and most of `torch_files` can go."""
    path = whole_model(small_net(), tmp_path / "model.pth", legacy=True, parallel=False)
    with pytest.raises(pickle.UnpicklingError, match="Unsupported global"):
        torch.load(path, weights_only=True)
    with pytest.raises(ValueError, match="checkpoint"):
        torch.serialization.get_unsafe_globals_in_checkpoint(path)


def layers_pickled(depth, names):
    """A module that holds the one below it under each name, and so on: names ** depth places."""
    program, module = b"\x80\x02", b"cmine.nets\nNet\n)\x81}b"
    for level in range(depth):
        # Remembered by its number and taken off again.
        number = bytes([level])
        program += module + b"q" + number + b"0"
        children = b"".join(b"U" + bytes([len(name)]) + name + b"h" + number for name in names)
        module = b"cmine.nets\nNet\n)\x81}U\x08_modules}(" + children + b"usb"
    return program + module + b"."


@pytest.mark.parametrize("names", [(b"a", b"b"), (b"", b".")], ids=["named", "nameless"])
def test_layers_that_share_layers_are_not_walked_for_ever(names):
    shallow = in_zip(layers_pickled(3, names))
    with pytest.raises(Refused, match="no tensor"):
        read_torch_file(io.BytesIO(shallow))
    with pytest.raises(Refused, match="more than 5000 layers"):
        read_torch_file(io.BytesIO(in_zip(layers_pickled(60, names))))


def test_tensors_that_reach_beyond_their_numbers_are_refused():
    from cellwise.app.models import torch_files
    from cellwise.app.models.inert import Storage, Strided

    run = np.arange(6, dtype=np.float32)
    storage = Storage("FloatStorage", "0", 6)
    for tensor in (
        Strided(storage, 0, (7,), (1,)),
        Strided(storage, 5, (2,), (1,)),
        Strided(storage, 0, (2, 4), (4, 1)),
        Strided(storage, 0, (1 << 40,), (0,)),
    ):
        with pytest.raises(Refused, match="tensor 'x'"):
            torch_files._array(run, tensor, "x")


def test_other_archives_are_refused(tmp_path):
    script = io.BytesIO()
    with zipfile.ZipFile(script, "w") as archive:
        archive.writestr("m/data.pkl", b"N.")
        archive.writestr("m/constants.pkl", b"N.")
    with pytest.raises(Refused, match="TorchScript"):
        read_torch_file(script)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", b"N.")
    with pytest.raises(Refused, match="compressed"):
        read_torch_file(packed)
    for root, said in (([1], "neither"), ({}, "neither"), ({"state_dict": {"a": 1}}, "neither")):
        with pytest.raises(Refused, match=said):
            read_torch_file(io.BytesIO(in_zip(pickle.dumps(root, 2))))
    with pytest.raises(Refused, match="not one of torch"):
        read_torch_file(io.BytesIO(pickle.dumps(1, 2) * 5))


@given(data=st.data(), legacy=st.booleans())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_damage_never_gives_other_shapes_silently_or_runs_anything(data, legacy):
    content = io.BytesIO()
    torch.save(
        {"a": torch.ones(3, 2), "b": torch.zeros(4)},
        content,
        _use_new_zipfile_serialization=not legacy,
    )
    whole = bytearray(content.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        found = read_torch_file(io.BytesIO(bytes(whole[: cut or None])))
    except Exception:  # noqa: BLE001  # Damage may show in any way.
        return
    assert all(isinstance(array, np.ndarray) for array in found.tensors.values())

"""Cellpose and InstanSeg: how they are called, and that nothing is ever fetched.

The packages are played by stand-ins with the same calls; where a real one is installed, its calls
are compared with those of the stand-in.
"""

import ast
import importlib.util
import inspect
import os
import socket
import sys
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from scipy import ndimage

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.errors import BadOption, FormatError, InputError, UsageError
from cellwise.stages.segment import cellpose, instanseg, segmenters


class CellposeModel:
    """Labels what is bright in the first plane; remembers how it was called."""

    made: ClassVar[list] = []

    def __init__(self, gpu=False, pretrained_model="cpsam_v2", use_bfloat16=True):
        if "foreign" in Path(pretrained_model).read_text():
            raise ValueError("This model does not appear to be a CP4 model.")
        self.gpu, self.weights, self.calls = gpu, pretrained_model, []
        self.made.append(self)

    def eval(
        self, x, batch_size=8, channel_axis=None, diameter=None, flow_threshold=0.4,
        cellprob_threshold=0.0, min_size=15,
    ):  # fmt: skip
        self.calls.append((x.copy(), channel_axis, diameter, min_size))
        masks, _ = ndimage.label(x[..., 0] > 0.3 * x[..., 0].max())
        x[:] = 0
        return masks.astype(np.uint16), [None, None, None], np.zeros(256)


class InstanSeg:
    """Labels what is bright in the first stain as nuclei and in the second as cells."""

    made: ClassVar[list] = []

    def __init__(self, model_type="x", device=None, image_reader="auto", verbosity=1):
        assert not isinstance(model_type, str), "a name would be fetched"
        self.network, self.device, self.calls = model_type, device, []
        self.made.append(self)

    def eval_small_image(self, image, pixel_size=None, return_image_tensor=True, **kwargs):
        assert not return_image_tensor
        self.calls.append(("small", image.copy(), pixel_size, kwargs))
        return self._found(image)

    def eval_medium_image(
        self, image, pixel_size=None, tile_size=512, return_image_tensor=True, **kwargs
    ):
        assert not return_image_tensor
        self.calls.append((tile_size, image.copy(), pixel_size, kwargs))
        return self._found(image)

    def _found(self, image):
        # Cells are numbered from the other end, as networks do.
        kinds = self.network
        planes = [ndimage.label(plane > 0.3 * plane.max())[0] for plane in image[:kinds]]
        if kinds == 2:
            planes[1] = np.where(planes[1] > 0, planes[1].max() + 1 - planes[1], 0)
        return _Tensor(np.stack(planes)[None].astype(np.float32))


class _Tensor:
    def __init__(self, values):
        self.values = values

    def cpu(self):
        return self

    def numpy(self):
        return self.values


def load_script(path, map_location):
    text = Path(path).read_text()
    if "foreign" in text:
        raise RuntimeError("PytorchStreamReader failed reading zip archive\nmore")
    return int(text)


def stand_in(name, **content):
    module = types.ModuleType(name)
    module.__file__ = content.pop("file", None)
    module.__dict__.update(content)
    return module


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True)
def packages(monkeypatch, tmp_path):
    """Both packages with an empty home of their own."""
    home = tmp_path / "packages" / "instanseg"
    home.mkdir(parents=True)
    torch = types.SimpleNamespace(jit=types.SimpleNamespace(load=load_script))
    for module in (
        stand_in("cellpose", file=str(home / "__init__.py")),
        stand_in("cellpose.models", CellposeModel=CellposeModel),
        stand_in("instanseg", file=str(home / "__init__.py")),
        stand_in("instanseg.inference_class", InstanSeg=InstanSeg, torch=torch),
    ):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "cellpose"))
    monkeypatch.delenv("INSTANSEG_BIOIMAGEIO_PATH", raising=False)
    for made in (CellposeModel.made, InstanSeg.made):
        made.clear()
    for kept in (cellpose._model, instanseg._model):
        kept.cache_clear()
    return home


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights"
    path.write_text("2")
    return str(path)


def discs(*radii):
    """Four discs of each radius around the same centres, dim as a 16-bit image can be."""
    y, x = np.mgrid[:64, :80]
    planes = np.zeros((len(radii), 64, 80), np.float32)
    for plane, radius in zip(planes, radii, strict=True):
        for cy in (16, 48):
            for cx in (20, 60):
                plane[np.hypot(y - cy, x - cx) < radius] = 0.0008
    return planes


def field(*names, pixel_size=None):
    """Cells around nuclei; the order is that of the names."""
    radii = {"nucleus": 5, "er": 12, "actin": 11, "protein": 8, "brightfield": 1, "other": 2}
    channels = tuple(Channel(n, n if n != "other" else None) for n in names)
    return Field("s", discs(*(radii[n] for n in names)), channels, pixel_size)


def areas(labels):
    return np.bincount(labels.ravel())[1:].tolist()


def test_cellpose_looks_at_the_cell_and_again_at_the_nucleus(weights):
    masks = segmenters.build({"name": "cellpose", "weights": weights, "diameter": 20})(
        field("er", "nucleus")
    )
    cells, nuclei = areas(masks.cells), areas(masks.nuclei)
    assert len(cells) == len(nuclei) == 4
    assert all(n < c for n, c in zip(nuclei, cells, strict=True))
    assert (masks.cells[masks.nuclei > 0] == masks.nuclei[masks.nuclei > 0]).all()
    (model,) = CellposeModel.made
    assert model.weights == weights
    (both, axis, diameter, least), (alone, *_) = model.calls
    assert both.shape == alone.shape == (64, 80, 3)
    assert (axis, diameter, least) == (-1, 20, 15)
    assert not both[..., 2].any()
    assert not alone[..., 1:].any()
    assert np.array_equal(both[..., 1], alone[..., 0])


def test_dim_planes_are_not_taken_for_empty_ones(weights):
    """Both packages call a plane empty whose range is below a thousandth."""
    segmenters.build({"name": "cellpose", "weights": weights})(field("nucleus"))
    assert CellposeModel.made[0].calls[0][0].max() > 1
    part = segmenters.build({"name": "instanseg", "weights": weights, "pixel_size": 0.5})
    part(field("nucleus", "er"))
    assert InstanSeg.made[0].calls[0][1].max() > 1


def test_the_field_itself_is_left_as_it_was(weights):
    seen = field("er", "nucleus")
    before = seen.pixels.copy()
    segmenters.build({"name": "cellpose", "weights": weights})(seen)
    assert np.array_equal(seen.pixels, before)


@pytest.mark.parametrize(
    ("names", "looks", "has_nuclei"),
    [
        (("nucleus",), 1, True),
        (("other",), 1, True),
        (("er", "actin"), 1, False),
        (("nucleus", "er", "actin"), 2, True),
        (("nucleus", "protein"), 2, True),
    ],
)
def test_cellpose_takes_what_channels_there_are(weights, names, looks, has_nuclei):
    masks = segmenters.build({"name": "cellpose", "weights": weights})(field(*names))
    assert len(CellposeModel.made[0].calls) == looks
    assert len(areas(masks.cells)) == 4
    assert bool(masks.nuclei.any()) == has_nuclei


def test_cellpose_can_be_spared_the_second_look(weights):
    part = segmenters.build({"name": "cellpose", "weights": weights, "nuclei": "none"})
    assert not part(field("nucleus", "er")).nuclei.any()
    assert len(CellposeModel.made[0].calls) == 1


def test_cellpose_without_any_usable_channel_says_so(weights):
    part = segmenters.build({"name": "cellpose", "weights": weights})
    two = Field("s", discs(3, 4), (Channel("a"), Channel("b")))
    with pytest.raises(InputError) as caught:
        part(two)
    assert caught.value.code == "channel_missing"


def test_instanseg_gives_nuclei_the_numbers_of_their_cells(weights):
    part = segmenters.build({"name": "instanseg", "weights": weights, "min_size": 7})
    masks = part(field("nucleus", "er", "brightfield", pixel_size=0.3))
    assert areas(masks.cells)[0] > areas(masks.nuclei)[0] > 0
    assert (masks.cells[masks.nuclei > 0] == masks.nuclei[masks.nuclei > 0]).all()
    ((way, planes, pixel_size, limits),) = InstanSeg.made[0].calls
    assert (way, pixel_size, limits) == ("small", 0.3, {"min_size": 7})
    assert planes.shape == (2, 64, 80)


def test_instanseg_takes_large_fields_by_tiles(weights, monkeypatch):
    monkeypatch.setattr(instanseg, "_MOST_AT_ONCE", 100)
    options = {"weights": weights, "pixel_size": 0.5, "tile": 256}
    segmenters.build({"name": "instanseg", **options})(field("nucleus", "er"))
    assert InstanSeg.made[0].calls[0][0] == 256


def test_weights_of_one_kind_give_it_as_cells_and_nuclei(weights):
    Path(weights).write_text("1")
    part = segmenters.build({"name": "instanseg", "weights": weights, "pixel_size": 0.5})
    masks = part(field("nucleus", "er"))
    assert np.array_equal(masks.cells, masks.nuclei)


def test_instanseg_wants_to_know_the_size_of_a_pixel(weights):
    part = segmenters.build({"name": "instanseg", "weights": weights})
    with pytest.raises(InputError, match="size of a pixel") as caught:
        part(field("nucleus", "er"))
    assert caught.value.code == "pixel_size"
    assert "segment.pixel_size" in caught.value.remedy


def test_instanseg_is_given_the_stains_that_were_named(weights):
    spec = {"name": "instanseg", "weights": weights, "pixel_size": 0.5}
    segmenters.build({**spec, "channels": ["er", "nucleus"]})(field("nucleus", "protein", "er"))
    planes = InstanSeg.made[0].calls[0][1]
    assert np.array_equal(planes[0] > 0, discs(12)[0] > 0)
    with pytest.raises(InputError, match="no channel 'actin'"):
        segmenters.build({**spec, "channels": ["actin"]})(field("nucleus"))


@pytest.mark.parametrize("name", ["cellpose", "instanseg"])
def test_the_network_is_loaded_once_and_again_when_the_file_changes(weights, name):
    spec = {"name": name, "weights": weights}
    if name == "instanseg":
        spec["pixel_size"] = 0.5
    made = CellposeModel.made if name == "cellpose" else InstanSeg.made
    for _ in range(2):
        segmenters.build(spec)(field("nucleus", "er"))
    assert len(made) == 1
    os.utime(weights, ns=(1, 1))
    segmenters.build(spec)(field("nucleus", "er"))
    assert len(made) == 2


@pytest.mark.parametrize("name", ["cellpose", "instanseg"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, weights, name):
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None)
    module = {"cellpose": cellpose, "instanseg": instanseg}[name]
    with pytest.raises(UsageError, match=rf"pip install 'cellwise\[{name}\]'"):
        module.build(weights=weights)


def test_a_package_that_lacks_what_it_needs_is_named(monkeypatch, weights):
    monkeypatch.setitem(sys.modules, "cellpose.models", None)
    part = segmenters.build({"name": "cellpose", "weights": weights})
    with pytest.raises(UsageError, match="'cellpose' is here but cannot be imported"):
        part(field("nucleus"))


@pytest.mark.parametrize("name", ["cellpose", "instanseg"])
def test_without_weights_the_command_to_fetch_them_is_told_and_not_given(name):
    with pytest.raises(UsageError, match=rf"cellwise fetches none by itself.*python -c.*{name}"):
        segmenters.build(name)


@pytest.mark.parametrize("name", ["cellpose", "instanseg"])
def test_a_misspelt_file_is_never_replaced_by_others(packages, tmp_path, name):
    put_own(name, packages, tmp_path)
    with pytest.raises(UsageError, match="no weights file"):
        segmenters.build({"name": name, "weights": str(tmp_path / "wieghts")})


def put_own(name, packages, tmp_path, version="0.1.1"):
    if name == "cellpose":
        path = tmp_path / "cellpose" / "cpsam_v2"
    else:
        kept = packages / "bioimageio_models" / "fluorescence_nuclei_and_cells"
        path = kept / version / "instanseg.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("2")
    return path


@pytest.mark.parametrize("name", ["cellpose", "instanseg"])
def test_weights_that_the_package_has_fetched_before_are_found(packages, tmp_path, name):
    path = put_own(name, packages, tmp_path)
    spec = {"name": name} if name == "cellpose" else {"name": name, "pixel_size": 0.5}
    segmenters.build(spec)(field("nucleus", "er"))
    if name == "cellpose":
        assert CellposeModel.made[0].weights == str(path)
    else:
        assert InstanSeg.made[0].network == 2


def test_instanseg_takes_the_newest_version_and_the_folder_that_was_set(
    packages, tmp_path, monkeypatch
):
    put_own("instanseg", packages, tmp_path, "0.1.0")
    newest = put_own("instanseg", packages, tmp_path, "0.1.2")
    assert instanseg._kept()[0] == newest
    monkeypatch.setenv("INSTANSEG_BIOIMAGEIO_PATH", str(tmp_path / "elsewhere"))
    assert instanseg._kept() == [
        tmp_path / "elsewhere" / "fluorescence_nuclei_and_cells" / "instanseg.pt"
    ]


@pytest.mark.parametrize("name", ["cellpose", "instanseg"])
def test_foreign_weights_are_named(weights, name):
    Path(weights).write_text("foreign")
    spec = {"name": name, "weights": weights}
    if name == "instanseg":
        spec["pixel_size"] = 0.5
    with pytest.raises(FormatError, match=f"cannot be loaded by {name}") as caught:
        segmenters.build(spec)(field("nucleus", "er"))
    assert weights in str(caught.value)


@pytest.mark.parametrize("name", ["cellpose", "instanseg"])
def test_a_label_image_of_another_size_is_refused(weights, name, monkeypatch):
    wrong = np.zeros((5, 5), np.int32)
    monkeypatch.setattr(CellposeModel, "eval", lambda self, x, **options: (wrong, [], []))
    monkeypatch.setattr(InstanSeg, "eval_small_image", lambda self, x, **options: wrong[None, None])
    spec = {"name": name, "weights": weights}
    if name == "instanseg":
        spec["pixel_size"] = 0.5
    with pytest.raises(InputError, match=f"{name} gave a label image") as caught:
        segmenters.build(spec)(field("nucleus", "er"))
    assert caught.value.code == "segmentation"


@pytest.mark.parametrize(
    "options", [{"diameter": 0}, {"device": "tpu"}, {"nuclei": "grow"}, {"flow_threshold": -1}]
)
def test_values_without_meaning_are_refused(weights, options):
    with pytest.raises(BadOption, match=next(iter(options))):
        segmenters.build({"name": "cellpose", "weights": weights, **options})


REAL = (
    ("cellpose", "models.py", "CellposeModel", CellposeModel, ("__init__", "eval")),
    *(
        ("instanseg", "inference_class.py", "InstanSeg", InstanSeg, (name,))
        for name in ("__init__", "eval_small_image", "eval_medium_image")
    ),
)


@pytest.mark.parametrize(("package", "file", "name", "ours", "methods"), REAL)
def test_the_stand_ins_are_called_as_the_real_packages_are(
    monkeypatch, package, file, name, ours, methods
):
    """Read from the source, since importing it takes all that the package needs."""
    monkeypatch.delitem(sys.modules, package)
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        pytest.skip(f"the package {package} is not installed: its calls cannot be compared")
    tree = ast.parse((Path(found.origin).parent / file).read_text(encoding="utf-8"))
    kind = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == name)
    for method in methods:
        real = next(
            n for n in kind.body if isinstance(n, ast.FunctionDef) and n.name == method
        ).args
        known = {argument.arg for argument in (*real.args, *real.kwonlyargs)}
        own = inspect.signature(getattr(ours, method)).parameters
        plain = {p.name for p in own.values() if p.kind is not p.VAR_KEYWORD}
        assert plain <= known, (package, method, plain - known)

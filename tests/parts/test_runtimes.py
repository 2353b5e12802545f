"""Which runtime is taken, by made-up models and clocks; and that OpenVINO answers as torch does."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.network import Asked, Output
from cellwise.errors import BadOption, UsageError
from cellwise.parts import runtimes
from cellwise.parts.nets import nets
from cellwise.parts.normalise import Normalisation
from cellwise.parts.predictor import LoadedModel
from cellwise.parts.runtimes import with_runtime
from cellwise.parts.runtimes.choice import TOLERANCE, Recorder, choose

CALLS = [(torch.rand(4, 1, 3, 3), Asked.LOGITS, None)]


class Clock:
    """Seconds that models let go by."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def made_of(clock, speeds):
    """Models by name: seconds for a call, seconds to make, and what is added to the logits."""

    def make(name):
        call, setup, off = speeds[name]
        clock.now += setup

        def model(pixels, asked=Asked.LOGITS, covariates=None):
            clock.now += call
            return Output(pixels.mean(dim=(2, 3)) + off)

        return model

    return make


def chosen(speeds, images=10_000, models=1):
    clock = Clock()
    make = made_of(clock, speeds)
    return choose(make, tuple(speeds), CALLS, images=images, models=models, clock=clock)


@given(
    st.lists(
        st.tuples(st.floats(0.01, 9), st.floats(0, 500), st.sampled_from([0.0, 0.01, 1.0])),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 10_000),
)
def test_the_least_time_of_those_that_agree_is_taken(speeds, images):
    named = {f"r{k}": speed for k, speed in enumerate([(5.0, 1.0, 0.0), *speeds])}
    found = chosen(named, images, models=3)
    # A hundredth of a logit is no more than a quarter of that in probability; a whole logit is.
    alike = {name for name, (_, _, off) in named.items() if off < 0.5}
    total = {
        name: 3 * (setup + call) + images * call / 4 for name, (call, setup, _) in named.items()
    }
    assert total[found.runtime] == pytest.approx(min(total[name] for name in alike))
    assert {one.runtime for one in found.tried if one.agrees} == alike


def test_what_answers_with_no_number_is_never_taken():
    speeds = {"fp32": (5.0, 0.0, 0.0), "broken": (0.1, 0.0, float("nan"))}
    found = chosen(speeds)
    assert found.runtime == "fp32"
    assert found.tried[1].difference > TOLERANCE


def test_few_images_do_not_pay_for_a_compiler():
    speeds = {"fp32": (5.0, 0.0, 0.0), "compiled": (1.0, 300.0, 0.0)}
    assert [chosen(speeds, images).runtime for images in (4, 4000)] == ["fp32", "compiled"]


def plain_model(spec, channels=2, classes=3, seed=0):
    torch.manual_seed(seed)
    net = nets.build(spec)(channels, classes).eval()
    for module in net.modules():
        # Statistics of no training at all would make all images alike.
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.fill_(0.5)
    return LoadedModel(net, Normalisation("standard", (0.2,) * channels, (0.3,) * channels), "cpu")


@pytest.mark.parametrize("asked", [Asked.LOGITS, Asked.LOGITS | Asked.CLASS_MAP])
def test_a_recorder_gives_answers_of_the_right_shape_and_asks_few(asked):
    model = plain_model("tiny")
    recorder = Recorder(model, images=2)
    pixels = torch.rand(5, 2, 16, 16)
    with torch.inference_mode():
        found, own = recorder(pixels, asked), model(pixels, asked)
        assert found.logits.shape == own.logits.shape
        torch.testing.assert_close(found.logits[0], own.logits[0])
        if Asked.CLASS_MAP in asked:
            assert found.class_map.shape == own.class_map.shape
        recorder(pixels, asked)
        recorder(torch.rand(1, 2, 24, 24), asked)
    assert [len(call[0]) for call in recorder.calls] == [2, 1]
    assert recorder.shown == 11


SPECS = ["tiny", {"name": "backbone", "model": "resnet18"}]
EVERY = Asked.LOGITS | Asked.CLASS_MAP | Asked.EMBEDDING


@pytest.mark.parametrize("spec", SPECS)
def test_openvino_answers_as_torch_does(spec):
    pytest.importorskip("openvino")
    model = plain_model(spec)
    fast = with_runtime(model, "openvino", threads=1)
    random = torch.Generator().manual_seed(3)
    with torch.inference_mode():
        for count, side in ((3, 32), (1, 32), (2, 48)):
            pixels = torch.rand(count, 2, side, side, generator=random)
            own, found = model(pixels, EVERY), fast(pixels, EVERY)
            for part in ("logits", "class_map", "embedding"):
                torch.testing.assert_close(
                    getattr(found, part), getattr(own, part), rtol=1e-3, atol=1e-4
                )
        np.testing.assert_allclose(
            fast(pixels).logits.numpy(), model(pixels).logits.numpy(), rtol=1e-3, atol=1e-4
        )
        with pytest.raises(BadOption, match="features"):
            fast.extract_features(pixels)


def test_a_runtime_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr(runtimes, "has_openvino", lambda: False)
    with pytest.raises(UsageError, match=r"cellwise\[openvino\]"):
        with_runtime(plain_model("tiny"), "openvino", threads=1)
    assert not any(name.startswith("openvino") for name in runtimes.runtimes_here("cpu"))


@settings(max_examples=5)
@given(st.integers(0, 99))
def test_half_precision_is_within_the_tolerance_of_an_ordinary_network(seed):
    model = plain_model("tiny", seed=seed)
    pixels = torch.rand(4, 2, 16, 16)
    with torch.inference_mode():
        own, half = model(pixels), with_runtime(model, "bf16", threads=1)(pixels)
    assert float((own.logits.sigmoid() - half.logits.sigmoid()).abs().max()) < TOLERANCE

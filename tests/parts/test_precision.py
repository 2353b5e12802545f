"""What `auto` stands for on which machine, and that half the digits say nearly the same."""

from pathlib import Path

import pytest
import torch

from cellwise.domain.precisions import check_precision
from cellwise.errors import BadOption
from cellwise.parts import precision
from cellwise.parts.nets import nets
from cellwise.parts.runtimes import runtimes_here


@pytest.mark.parametrize(("units", "answer"), [(True, "bf16"), (False, "fp32")])
def test_a_processor_halves_only_with_units_for_it(monkeypatch, units, answer):
    monkeypatch.setattr(precision, "has_half_units", lambda: units)
    assert precision.resolve("auto", "cpu") == answer


@pytest.mark.parametrize(
    ("capability", "answer"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16")]
)
def test_an_older_card_takes_the_older_half(monkeypatch, capability, answer):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precision.resolve("auto", "cuda:0") == answer


@pytest.mark.parametrize(
    ("asked", "device"), [("fp32", "cpu"), ("bf16", "cpu"), ("fp16", "cuda"), ("bf16", "cuda:1")]
)
def test_what_is_asked_for_is_taken(asked, device):
    assert precision.resolve(asked, device) == asked


def test_fp16_on_a_processor_is_refused():
    with pytest.raises(BadOption, match="for a GPU"):
        precision.resolve("fp16", "cpu")


def test_a_mac_calculates_in_single_precision_only():
    assert (precision.resolve("auto", "mps"), runtimes_here("mps")) == ("fp32", ("fp32",))
    with pytest.raises(BadOption, match="give fp32"):
        precision.resolve("bf16", "mps")


def test_units_are_asked_of_the_processor():
    listed = Path("/proc/cpuinfo")
    flags = listed.read_text() if listed.exists() else ""
    if "flags" not in flags:
        pytest.skip("this system does not list what its processor has")
    has = "avx512_bf16" in flags or "amx_tile" in flags
    assert precision.has_half_units() == has


def test_other_words_are_refused():
    with pytest.raises(BadOption, match="auto, fp32, bf16, fp16"):
        check_precision("train", "half")


@pytest.mark.parametrize(
    "spec",
    [{"name": "tiny"}, {"name": "backbone", "model": "resnet10t"}],
    ids=str,
)
def test_half_the_digits_say_nearly_the_same(spec):
    torch.manual_seed(0)
    net = nets.build(spec)(4, 19).eval()
    pixels = torch.rand(6, 4, 64, 64).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        whole = net(pixels).logits
        with precision.calculating("bf16", "cpu"):
            half = net(pixels).logits
    assert half.dtype == torch.bfloat16
    # Eight digits in base two: errors of about a hundredth of what the logits spread.
    assert 0 < (half.float() - whole).abs().max() < 0.05 * whole.std()
    assert precision.calculating("fp32", "cpu").__enter__() is None

"""Bytes of a network's weights are those of the file that they are stored in."""

import pytest
import torch
from safetensors.torch import save_file

from cellwise.parts.nets import nets, weight_bytes

SPECS = (
    {"name": "tiny", "width": 8},
    {"name": "backbone", "model": "resnet18", "pretrained": False},
    {"name": "backbone", "model": "efficientnet_b0", "pretrained": False},
)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.get("model", spec["name"]))
def test_as_many_as_the_file_holds(spec, tmp_path):
    net = nets.build(spec)(3, 5)
    kept = {name: value.contiguous() for name, value in net.state_dict().items()}
    save_file(kept, tmp_path / "weights.safetensors")
    size = (tmp_path / "weights.safetensors").stat().st_size
    # The file names each of them, too.
    assert weight_bytes(spec, 3, 5) <= size <= weight_bytes(spec, 3, 5) + 200 * len(kept) + 1000


def test_a_beginning_counts_for_nothing_and_no_draw_is_made():
    before = torch.random.get_rng_state()
    begun = {"name": "backbone", "model": "resnet18", "pretrained": True}
    assert weight_bytes(begun, 4, 19) == weight_bytes({**begun, "pretrained": False}, 4, 19)
    assert torch.equal(torch.random.get_rng_state(), before)

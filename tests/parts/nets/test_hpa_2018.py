"""Files of the winners of 2018: their layers and rows come where they belong, by name."""

import copy

import pytest
import timm
import torch
from torch import nn

from cellwise.contracts.network import Asked
from cellwise.errors import BadOption, PreflightError
from cellwise.parts.nets import begin_classifier, nets
from cellwise.parts.nets._hpa_2018 import CLASSES, rows_of, trunk_of
from cellwise.store.worlds.class_lists import class_list

POSITIVE = class_list("hpa19").positive
SPEC = {"name": "backbone", "model": "densenet121", "stem_pool": True, "head": "embedding"}


class Theirs(nn.Module):
    """The network of 2018 written down once more, with its layers under two names."""

    def __init__(self):
        super().__init__()
        self.backbone = timm.create_model("densenet121", in_chans=4, num_classes=0)
        parts = self.backbone.features
        self.conv1 = nn.Sequential(parts.conv0, parts.norm0)
        self.encoder2 = nn.Sequential(parts.denseblock1)
        self.bn1, self.fc1 = nn.BatchNorm1d(2048), nn.Linear(2048, 1024)
        self.bn2, self.logit = nn.BatchNorm1d(1024), nn.Linear(1024, 28)

    def forward(self, pixels):
        parts = copy.deepcopy(self.backbone.features)
        parts.pool0 = nn.Sequential(parts.pool0, nn.MaxPool2d(2))
        seen = torch.relu(parts(pixels))
        both = torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1)
        embedded = self.fc1(self.bn1(both))
        return embedded, self.logit(self.bn2(torch.relu(embedded)))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """The network with numbers of its own, and its file."""
    torch.manual_seed(1)
    net = Theirs().eval()
    for name, value in net.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            value.copy_(torch.randn_like(value) * 0.1)
    path = tmp_path_factory.mktemp("weights") / "final.pth"
    torch.save({"epoch": 3, "state_dict": net.state_dict()}, path)
    return net, path


def test_a_network_of_today_answers_as_that_of_2018_did(theirs):
    net, path = theirs
    spec = {**SPEC, "pretrained": str(path)}
    ours = nets.build(spec)(4, len(POSITIVE)).eval()
    begin_classifier(ours, spec, "hpa_2018", POSITIVE)
    pixels = torch.rand(2, 4, 96, 96)
    with torch.no_grad():
        embedded, logits = net(pixels)
        found = ours(pixels, Asked.LOGITS | Asked.EMBEDDING)
    torch.testing.assert_close(found.embedding, embedded, rtol=1e-4, atol=1e-4)
    assert found.logits.shape == (2, 18)
    for place, name in enumerate(POSITIVE):
        row = {"Vesicles and punctate cytosolic patterns": "Cytoplasmic bodies"}.get(name, name)
        torch.testing.assert_close(
            found.logits[:, place], logits[:, CLASSES.index(row)], rtol=1e-4, atol=1e-4
        )


def test_seventeen_classes_have_a_namesake_and_two_a_stand_in():
    names = class_list("hpa19").names
    rows = rows_of(names)
    assert len(CLASSES) == 28
    assert sum(CLASSES[row] == name for row, name in zip(rows, names, strict=True)) == 17
    assert rows[17:] == [26, 27]
    assert rows_of(names[::-1]) == rows[::-1]
    with pytest.raises(BadOption, match="Nucleoid"):
        rows_of(["Cytosol", "Nucleoid"])


def test_layers_of_older_torch_are_known_by_their_names_of_today():
    weights = {"backbone.features.denseblock1.denselayer2.norm.1.weight": torch.ones(1)}
    assert list(trunk_of(weights)) == ["features.denseblock1.denselayer2.norm1.weight"]
    assert list(trunk_of({"features.conv0.weight": torch.ones(1)})) == ["features.conv0.weight"]


def test_a_file_without_that_head_and_a_network_with_another_are_refused(theirs, tmp_path):
    _, path = theirs
    bare = tmp_path / "bare.pth"
    torch.save({"features.conv0.weight": torch.ones(64, 4, 7, 7)}, bare)
    ours = nets.build(SPEC)(4, 18)
    with pytest.raises(PreflightError, match=r"no bn1\.weight"):
        begin_classifier(ours, {"pretrained": str(bare)}, "hpa_2018", POSITIVE)
    other = nets.build({**SPEC, "head": "multi_sample_dropout"})(4, 18)
    with pytest.raises(BadOption, match="embedding"):
        begin_classifier(other, {"pretrained": str(path)}, "hpa_2018", POSITIVE)
    small = nets.build({**SPEC, "head": {"name": "embedding", "size": 64}})(4, 18)
    with pytest.raises(PreflightError, match="another size"):
        begin_classifier(small, {"pretrained": str(path)}, "hpa_2018", POSITIVE)


def test_a_stem_of_four_channels_is_taken_as_it_is_and_one_of_three_is_widened(theirs, tmp_path):
    net, path = theirs
    kept = nets.build({**SPEC, "pretrained": str(path)})(4, 18).trunk.features.conv0.weight
    torch.testing.assert_close(kept, net.backbone.features.conv0.weight)
    three = timm.create_model("densenet121", num_classes=0)
    file = tmp_path / "three.pth"
    torch.save(three.state_dict(), file)
    wide = nets.build({**SPEC, "pretrained": str(file)})(4, 18).trunk.features.conv0.weight
    own = three.features.conv0.weight
    # The fourth channel has the first one's kernels, and none is scaled.
    torch.testing.assert_close(wide, torch.cat([own, own[:, :1]], 1))

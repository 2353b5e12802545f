"""A channel that models read and the folder lacks: what is proposed is true and can be pasted."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cellwise.domain.channels import Channel
from cellwise.domain.foresight import FolderFacts
from cellwise.domain.records import ChannelFile, Site
from cellwise.stages.score import _foresight
from cellwise.stages.score.spec import Options

DNA = Channel("w1", "nucleus")


@pytest.mark.parametrize(
    ("there", "cure"),
    [
        ([DNA], "Add the files of that channel."),
        ([DNA, Channel("w2", "er")], "--set 'read.roles.w2=protein'."),
        ([DNA, Channel("Cy5")], "--set 'read.roles.Cy5=protein'."),
    ],
)
def test_only_channels_that_are_free_are_proposed_and_by_their_own_name(monkeypatch, there, cure):
    card = SimpleNamespace(channels=(DNA, Channel("GFP", "protein")))
    monkeypatch.setattr(_foresight, "_cards", lambda *_: [card])
    site = Site("a", "a", tuple(ChannelFile(channel, ("a.tif",)) for channel in there))
    facts = FolderFacts((site,), tuple(there))
    job: Any = SimpleNamespace(fitted=Path("run"))
    (refusal,) = _foresight.foresight_of(job, Options(model="cell"), facts).refusals
    assert refusal.remedy.endswith(cure)
    assert "read.roles.w1" not in refusal.remedy
    assert "read.roles.nucleus" not in refusal.remedy

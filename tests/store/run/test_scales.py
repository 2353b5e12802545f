"""The scales that a run was made with, also where it was made before they were kept."""

import json

import pytest

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.tables import SITES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.scales import learned_scales
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table


def write_run(home, types, again):
    run = RunFolder(home)
    sites = [
        Site(name, name, (ChannelFile(Channel("gfp", "protein"), (f"{name}.tif",)),))
        for name in types
    ]
    facts = {(name, "gfp"): {"dtype": dtype, "status": "ok"} for name, dtype in types.items()}
    write_table(run.sites, SITES, sites_to_frame(sites, facts))
    run.reading.write_text(json.dumps({"again": again}))
    return run


@pytest.mark.parametrize(
    ("types", "scale"),
    [
        (("uint8", "uint8"), "8-bit 0..255"),
        (("uint16", "uint16"), "counts 0..65535"),
        (("uint8", "uint16"), "type"),
        (("float32", "uint16"), "each"),
        (("int16", "int16"), "each"),
    ],
)
def test_an_older_run_is_applied_as_it_was_made(tmp_path, types, scale):
    run = write_run(tmp_path, dict(zip("ab", types, strict=True)), {})
    assert learned_scales(run) == {"protein": scale}


def test_what_a_run_keeps_counts(tmp_path):
    run = write_run(tmp_path, {"a": "uint8"}, {"scale": {"protein": "0..200"}})
    assert learned_scales(run) == {"protein": "0..200"}
    assert learned_scales(RunFolder(tmp_path / "none")) == {}

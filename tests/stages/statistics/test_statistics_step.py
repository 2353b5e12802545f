"""The step `statistics`: numbers as numpy has them, streamed, resumed, and errors set aside."""

import numpy as np
import pytest
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.steps import Finished, Job
from cellwise.domain.tables import PIXELS, STATISTICS
from cellwise.stages.segment.facts import pixel_facts as with_dark
from cellwise.stages.statistics.step import finish, present, settle, work
from cellwise.store.images.fields import read_field
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

CHANNELS = (Channel("w1", "nucleus"), Channel("w2", "er"))


@pytest.fixture
def screen(tmp_path):
    """Five sites of two 8-bit channels; one is constant in its second channel."""
    random, sites, planes = np.random.default_rng(0), [], {}
    (tmp_path / "images").mkdir()
    for n in range(5):
        files = []
        for channel in CHANNELS:
            grey = random.integers(0, 200, (40, 30), dtype=np.uint8)
            if n == 3 and channel.name == "w2":
                grey[:] = 17
            path = f"s{n}_{channel.name}.png"
            Image.fromarray(grey).save(tmp_path / "images" / path)
            planes[f"s{n}", channel.name] = grey / 255
            files.append(ChannelFile(channel, (path,)))
        sites.append(Site(f"s{n}", f"s{n}", tuple(files), "train", ("a",)))
    job = Job(tmp_path / "run", tmp_path / "images", "statistics", {}, "key", seed=0)
    return job, sites, planes


def measured(job, batches):
    records = [record for batch in batches for record in work(batch, job)]
    done = {r.site_id: Finished(job.key, r.counts) for r in records if r.error is None}
    return records, done


def test_numbers_are_those_of_the_pixels(screen):
    job, sites, planes = screen
    _, done = measured(job, [sites[:2], sites[2:]])
    counts = finish(job, done)
    assert counts == {"sites": 5, "rows": 10, "sites_flagged": 1}
    rows = read_table(RunFolder(job.run).statistics, STATISTICS).to_dicts()
    assert [(r["site_id"], r["channel"]) for r in rows] == sorted(planes)
    for row in rows:
        plane = planes[row["site_id"], row["channel"]]
        for name, value in (
            ("mean", plane.mean()),
            ("std", plane.std()),
            ("median", np.median(plane)),
            ("minimum", plane.min()),
            ("maximum", plane.max()),
        ):
            assert row[name] == pytest.approx(value, abs=1e-6), name


def test_hashes_and_flags_are_those_that_segmenting_would_note(screen):
    job, sites, _ = screen
    _, done = measured(job, [sites])
    finish(job, done)
    rows = read_table(RunFolder(job.run).pixels, PIXELS).to_dicts()
    wanted = [row for site in sites for row in with_dark(read_field(site, job.images))]
    for row, other in zip(rows, wanted, strict=True):
        assert row["sha256"] == other["sha256"]
        # Only with a look at what is in front of what can it be said that an image is dark.
        assert row["flags"] == [flag for flag in other["flags"] if flag != "dark"]
        assert row["focus"] == pytest.approx(other["focus"], rel=1e-6)
    assert [r["site_id"] for r in rows if "constant" in r["flags"]] == ["s3"]


def test_the_table_does_not_depend_on_how_sites_came(screen):
    job, sites, _ = screen
    path = RunFolder(job.run).statistics
    finish(job, measured(job, [sites])[1])
    once = path.read_bytes()
    settle(job, [])
    finish(job, measured(job, [[site] for site in reversed(sites)])[1])
    assert path.read_bytes() == once


def test_what_is_done_is_known_and_what_is_gone_is_not(screen):
    job, sites, _ = screen
    _, done = measured(job, [sites])
    assert present(job, done) == sorted(done)
    finish(job, done)
    settle(job, [])
    merged = {site: Finished(job.key, record.counts, merged=True) for site, record in done.items()}
    assert present(job, merged) == sorted(done)
    assert present(job, done) == []
    RunFolder(job.run).pixels.unlink()
    assert present(job, merged) == []


def test_a_site_that_cannot_be_read_is_set_aside_with_its_reason(screen):
    job, sites, _ = screen
    (job.images / "s1_w2.png").write_bytes(b"no image")
    records, done = measured(job, [sites])
    (odd,) = [record for record in records if record.error is not None]
    assert odd.site_id == "s1"
    assert odd.error.path.endswith("s1_w2.png")
    assert finish(job, done)["rows"] == 8

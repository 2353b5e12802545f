"""The form `hpa-512`: what is written, how the original systems read it, and how we do."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from tests.stages.read.read_folders import by_id, read
from typer.testing import CliRunner

from cellwise.app.cli import app
from cellwise.app.prepare.hpa_512 import prepare
from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.tables import SITES
from cellwise.errors import PreflightError
from cellwise.store.images.fields import read_field
from cellwise.store.masks.arrays import read_npz
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table
from cellwise.store.stains import HPA_COLOURS

SIDE = 64


def made(folder, rows, *, cells=3):
    """A run of fields `(id, part, labels)`; each channel is a ramp of its own brightness."""
    run, images = RunFolder(folder / "run"), folder / "images"
    images.mkdir(parents=True)
    sites = []
    for number, (site_id, part, labels) in enumerate(rows):
        files = []
        for place, (colour, role) in enumerate(HPA_COLOURS.items()):
            ramp = np.linspace(10 * place, 40 * place + 30 + number, SIDE)
            pixels = np.tile(ramp, (SIDE, 1)).astype(np.uint8)
            Image.fromarray(pixels).save(images / f"{site_id}_{colour}.png")
            files.append(ChannelFile(Channel(colour, role), (f"{site_id}_{colour}.png",)))
        sites.append(Site(site_id, site_id, tuple(files), part, labels))
        mask = (np.arange(SIDE * SIDE).reshape(SIDE, SIDE) * cells // SIDE**2 + 1).astype(np.uint16)
        write_masks(run.masks, site_id, Masks(mask, mask))
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    run.record.write_text(json.dumps({"inputs": {"folder": str(images)}}))
    return run.path


OWN = (
    ("aa", "train", ("Nucleoplasm", "Cytosol")),
    ("bb", "train", ("Negative",)),
    ("cc", "test", None),
    ("dd", "unlabelled", None),
)


def silent(*_):
    pass


@pytest.fixture
def out(tmp_path):
    own = made(tmp_path / "own", OWN, cells=300)
    public = made(tmp_path / "public", [("7_A1_1", "train", ("Mitochondria",))])
    done = prepare([own], [public], tmp_path / "out", silent, side=32)
    assert (done.train, done.test, done.masks, done.failures) == (3, 1, 4, ())
    return tmp_path / "out"


def test_the_table_says_what_the_original_does(out):
    with (out / "train_all.csv").open(newline="") as stream:
        rows = {row["ID"]: row for row in csv.DictReader(stream)}
    assert list(rows["aa"]) == ["ID", "Label", "is_ext", "n_label", "fold", "image_size"]
    said = {i: (r["Label"], r["is_ext"], r["n_label"], r["image_size"]) for i, r in rows.items()}
    assert said == {
        "aa": ("0|16", "0", "2", "64"),
        "bb": ("18", "0", "1", "64"),
        "7_A1_1": ("14", "1", "1", "64"),
    }


def test_a_reader_of_colours_finds_nucleus_protein_microtubules_and_er(out):
    """The original reads red, green, blue and transparency, and finds them in this order."""
    image = Image.open(out / "train" / "aa.png")
    assert (image.mode, image.size) == ("RGBA", (32, 32))
    order = [list(HPA_COLOURS).index(colour) for colour in ("blue", "green", "red", "yellow")]
    means = [(10 * place + 40 * place + 30) / 2 for place in order]
    assert np.asarray(image).mean(axis=(0, 1)) == pytest.approx(means, abs=1.5)


def test_masks_hold_more_than_255_cells(out):
    cells, _ = read_npz(out / "train_cell_mask" / "aa.npz")
    assert cells.shape == (32, 32)
    assert cells.dtype == np.uint16
    assert cells.max() > 255
    with np.load(out / "test_cell_mask" / "cc.npz") as held:
        assert list(held) == ["arr_0"]


def test_what_was_prepared_is_read_with_its_channels_labels_and_sources(out):
    reading = read(out)
    assert reading.layout == "hpa_512"
    sites = by_id(reading)
    assert sorted(sites) == ["7_A1_1", "aa", "bb", "cc"]
    assert sites["aa"].labels == ("Nucleoplasm", "Cytosol")
    assert (sites["aa"].part, sites["cc"].part) == ("train", "test")
    assert sites["aa"].metadata["Source"] == "challenge"
    assert sites["7_A1_1"].metadata["Source"] == "public"
    roles = [entry.channel.role for entry in sites["aa"].files]
    assert sorted(roles) == sorted(HPA_COLOURS.values())
    field = read_field(sites["aa"], out)
    for channel, plane in zip(field.channels, field.pixels, strict=True):
        place = list(HPA_COLOURS.values()).index(channel.role)
        assert 255 * plane.mean() == pytest.approx((50 * place + 30) / 2, abs=1.5)
    assert not any("Transparency" in note for note in reading.notes)


def test_the_same_runs_go_on_and_others_are_refused(out, tmp_path):
    own, public = tmp_path / "own" / "run", tmp_path / "public" / "run"
    before = (out / "train" / "aa.png").read_bytes()
    (out / "train" / "aa.png").unlink()
    prepare([own], [public], out, silent, side=32)
    assert (out / "train" / "aa.png").read_bytes() == before
    with pytest.raises(PreflightError, match="other runs"):
        prepare([own], [], out, silent, side=32)
    with pytest.raises(PreflightError, match="Two fields"):
        prepare([own], [own], tmp_path / "twice", silent)


def test_the_command_names_fields_that_cannot_be_read(tmp_path):
    own = made(tmp_path / "own", OWN)
    (tmp_path / "own" / "images" / "bb_green.png").write_bytes(b"no image")
    words = ["prepare", "hpa-512", str(own), "--out", str(tmp_path / "out"), "--size", "32"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 3, done.output
    assert "bb" in (tmp_path / "out" / "failures.csv").read_text()
    assert "aa" in (tmp_path / "out" / "train_all.csv").read_text()
    assert not (tmp_path / "out" / "train" / "bb.png").exists()

"""Fetching from a server that misbehaves: what it has is there and whole, the rest is listed."""

import csv
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from tests.app.fetch.public_server import (
    COLOURS,
    LASTING,
    PASSING,
    Public,
    pixels,
    serving,
    tiff,
    write_list,
)
from typer.testing import CliRunner

from cellwise.app.cli import app
from cellwise.app.fetch.fetch import fetch
from cellwise.app.fetch.server import Manners
from cellwise.app.fetch.wanted import choose

MANNERS = Manners(rate=100.0, patience=1.0, attempts=3, first_pause=0.01)
STEMS = ("501/77_A1_1", "501/77_A1_2", "602/78_H12_3")


def silent(*_):
    pass


def chosen(public, folder, stems=STEMS, **options):
    rows = [
        (f"{public.address}/{s}", "Nucleoplasm,Cytosol", "U-2 OS", "False", "0|16") for s in stems
    ]
    return choose(write_list(folder / "list.tsv", rows), **options)


def there(folder):
    found = folder.rglob("*.*")
    pictures = [p for p in found if p.suffix in (".jpg", ".tif") and p.name[0] != "."]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in pictures}


def listed(folder):
    with (folder / "failures.csv").open(newline="") as stream:
        return {(row["ID"], row["channel"]): row["reason"] for row in csv.DictReader(stream)}


def drawn(generator):
    """How the requests for one picture are answered: badly a few times and then well, or never."""
    if generator.random() < 0.6:
        return [*generator.choices(PASSING, k=generator.randrange(3)), "good"]
    return [generator.choice(LASTING)]


@pytest.mark.parametrize("seed", range(3))
def test_what_can_be_had_is_there_and_whole_and_the_rest_is_listed(seed, tmp_path_factory):
    generator = random.Random(seed)
    ways, others = ([drawn(generator) for _ in COLOURS] for _ in range(2))
    # A picture of another size is noticed only beside those of its field.
    ways = [["good"], ["good"], ["good"], ways[3]]
    others = [["good"] if "size" in way else way for way in others]
    folder = tmp_path_factory.mktemp("fetch")
    with serving(Public()) as public:
        sent, lasting = {}, set()
        for stem, plan in ((STEMS[0], ways), (STEMS[1], others), (STEMS[2], [["good"]] * 4)):
            made = public.add(stem, len(sent) + 1)
            for colour, way in zip(COLOURS, plan, strict=True):
                public.ways[f"/{stem}_{colour}.jpg"] = way
                # A wrong size is asked for once more when the field is there, not three times.
                twice = way.count("size") > 1 and way[-1] == "good"
                if way[-1] == "good" and not twice:
                    sent[f"{stem}_{colour}.jpg"] = made[colour]
                else:
                    lasting.add((stem.split("/")[1], colour))
        out = folder / "out"
        done = fetch(chosen(public, folder), out, silent, manners=MANNERS, connections=8)
    assert there(out) == sent
    assert set(listed(out)) == lasting == {(f.site_id, f.channel) for f in done.failures}
    assert all(listed(out).values())
    whole = [stem for stem in STEMS if all(f"{stem}_{c}.jpg" in sent for c in COLOURS)]
    assert done.sites == len(whole)
    with (out / "labels.csv").open(newline="") as stream:
        assert [row["ID"] for row in csv.DictReader(stream)] == [s.split("/")[1] for s in whole]


def test_what_is_there_is_not_asked_for_again_and_what_was_changed_is(tmp_path):
    with serving(Public()) as public:
        made = {
            f"{stem}_{c}.jpg": b
            for n, stem in enumerate(STEMS, 1)
            for c, b in public.add(stem, n).items()
        }
        choice, out = chosen(public, tmp_path), tmp_path / "out"
        fetch(choice, out, silent, manners=MANNERS)
        assert there(out) == made
        first = public.asked.total()
        fetch(choice, out, silent, manners=MANNERS)
        assert public.asked.total() == first == 12
        names = sorted(made)
        (out / names[0]).write_bytes(made[names[0]][:-200])
        (out / names[1]).unlink()
        # The same length, another picture: noticed where it is asked for.
        changed = bytearray(made[names[2]])
        changed[-20] ^= 0xFF
        (out / names[2]).write_bytes(changed)
        # A torn record counts for nothing; the picture is decoded.
        with (out / "fetched.jsonl").open("a") as stream:
            stream.write('{"file": "50')
        fetch(choice, out, silent, manners=MANNERS)
        assert public.asked.total() == first + 2
        fetch(choice, out, silent, manners=MANNERS, verify=True)
        assert public.asked.total() == first + 3
        assert there(out) == made


def test_a_damaged_jpeg_is_taken_as_tiff(tmp_path):
    with serving(Public()) as public:
        public.add(STEMS[0], 1)
        packed, plain = tiff(pixels(3))
        public.files[f"/{STEMS[0]}_green.tif.gz"] = packed
        public.ways[f"/{STEMS[0]}_green.jpg"] = ["chopped"]
        choice, out = chosen(public, tmp_path, STEMS[:1]), tmp_path / "out"
        done = fetch(choice, out, silent, manners=MANNERS)
        assert not done.failures
        assert there(out)[f"{STEMS[0]}_green.tif"] == plain
        before = public.asked.total()
        fetch(choice, out, silent, manners=MANNERS)
        assert public.asked.total() == before
        for colour in COLOURS:
            public.files[f"/{STEMS[0]}_{colour}.tif.gz"] = tiff(pixels(COLOURS.index(colour)))[0]
        full = tmp_path / "full"
        assert not fetch(choice, full, silent, manners=MANNERS, form="tif").failures
        assert len([name for name in there(full) if name.endswith(".tif")]) == 4


def test_a_pause_that_the_server_asks_for_is_kept_by_all(tmp_path):
    with serving(Public()) as public:
        for number, stem in enumerate(STEMS, 1):
            public.add(stem, number)
        public.ways[f"/{STEMS[0]}_red.jpg"] = ["pause", "good"]
        fetch(chosen(public, tmp_path), tmp_path / "out", silent, manners=MANNERS, connections=1)
        gaps = [late - early for early, late in zip(public.times, public.times[1:], strict=False)]
        assert gaps[0] > 0.95
        assert sorted(gaps)[-2] < 0.5


def test_the_rate_is_kept_over_all_connections(tmp_path):
    with serving(Public()) as public:
        for number, stem in enumerate(STEMS, 1):
            public.add(stem, number)
        manners = Manners(rate=20.0)
        fetch(chosen(public, tmp_path), tmp_path / "out", silent, manners=manners, connections=8)
        assert public.times[-1] - public.times[0] > 0.9 * 11 / 20


def test_a_server_that_gives_nothing_ends_the_fetch(tmp_path):
    stems = [f"501/77_A{well}_{field}" for well in range(1, 9) for field in range(1, 6)]
    with serving(Public()) as public:
        for stem in stems:
            for colour in COLOURS:
                public.ways[f"/{stem}_{colour}.jpg"] = ["503"]
                public.ways[f"/{stem}_{colour}.tif.gz"] = ["503"]
        manners = Manners(rate=100.0, attempts=1, most_silent=10)
        choice, out = chosen(public, tmp_path, stems), tmp_path / "out"
        done = fetch(choice, out, silent, manners=manners, connections=2)
        assert public.asked.total() < 20
    assert len(done.failures) == 160
    assert "one after the other" in list(listed(out).values())[-1]


def command(table, out, *more):
    program = "from cellwise.app.cli import main; main()"
    words = ("fetch", "hpa-public", "--table", str(table), "--out", str(out), "--rate", "100")
    return [sys.executable, "-c", program, *words, *more]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fetch_that_was_killed_goes_on_and_leaves_the_same_bytes(tmp_path, number):
    stems = [f"501/77_B{well}_1" for well in range(1, 9)]
    with serving(Public(delay=0.03)) as public:
        made = {
            f"{stem}_{c}.jpg": b
            for n, stem in enumerate(stems, 1)
            for c, b in public.add(stem, n).items()
        }
        chosen(public, tmp_path, stems)
        table, out = tmp_path / "list.tsv", tmp_path / "out"
        child = subprocess.Popen(
            command(table, out), stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        end = time.monotonic() + 30
        while len(there(out)) < 6 and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(child.pid, number)
        _, said = child.communicate(timeout=30)
        assert child.returncode == (5 if number == signal.SIGTERM else -signal.SIGKILL), said
        held = there(out)
        assert 6 <= len(held) < len(made)
        assert held.items() <= made.items()
        if number == signal.SIGTERM:
            assert not list(out.rglob(".*.partial*"))
        (out / "501" / ".0123.partial.jpg").write_bytes(b"\xff\xd8half")
        # Requests that the child left behind are counted late.
        time.sleep(0.3)
        before = public.asked.total()
        assert subprocess.run(command(table, out), capture_output=True).returncode == 0
        assert public.asked.total() - before == len(made) - len(held)
        assert there(out) == made
        assert not list(out.rglob(".*.partial*"))


def test_the_command_names_what_is_missing_and_ends_with_3(tmp_path):
    with serving(Public()) as public:
        public.add(STEMS[0], 1)
        chosen(public, tmp_path, STEMS[:2])
        words = ["fetch", "hpa-public", "--table", str(tmp_path / "list.tsv"), "--rate", "100"]
        out = tmp_path / "out"
        dry = CliRunner().invoke(app, [*words, "--out", str(out), "--dry-run"])
        assert dry.exit_code == 0
        assert "2 wanted" in dry.output
        assert not out.exists()
        done = CliRunner().invoke(app, [*words, "--out", str(out)])
        assert done.exit_code == 3
        assert "not to be had: 4" in done.output
    assert set(listed(out)) == {("77_A1_2", colour) for colour in COLOURS}
    assert "404" in listed(out)["77_A1_2", "red"]

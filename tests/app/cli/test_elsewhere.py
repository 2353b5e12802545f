"""Images of an object store and of a zip file: the results of a folder, and what is refused."""

import json
import shlex
import zipfile
from pathlib import Path

import pytest
from tests.store.objects.conftest import bucket, s3_environment, s3_set
from tests.store.objects.servers import KEYS
from tests.worlds import draw, field, labels, plate, save
from typer.testing import CliRunner

import cellwise
from cellwise.app.cli import app
from cellwise.app.inputs.places import VARIABLE
from cellwise.errors import CellwiseError, PreflightError, UsageError

pytestmark = pytest.mark.slow

__all__ = ["bucket", "s3_environment", "s3_set"]

QUIET = ("--workers", "1")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with images and labels, which is the working folder; the cache is in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    plate(tmp_path / "plate1", 4)
    labels(tmp_path / "labels.csv", 4)
    return tmp_path


def call(*words):
    found = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(found.exception, CellwiseError):
        raise found.exception
    return found


def pack(folder, path):
    with zipfile.ZipFile(path, "w") as packed:
        for file in sorted(folder.rglob("*")):
            packed.write(file, f"{folder.name}/{file.relative_to(folder).as_posix()}")
    return path


def record(run):
    return json.loads((Path(run) / "run.json").read_text(encoding="utf-8"))


def results(run):
    """Tables and masks that tell what was found, by name."""
    names = ("predictions.parquet", "cells.parquet", "wells.parquet")
    files = [Path(run) / name for name in names]
    files += sorted((Path(run) / "masks").glob("*"))
    return {path.name: path.read_bytes() for path in files if path.is_file()}


def test_check_says_where_the_images_lie_and_gives_the_command(home):
    pack(home / "plate1", home / "plate1.zip")
    found = call("check", "plate1.zip", "--recipe", "segment-only")
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert lines[0].startswith("Images of   plate1.zip, 8 files")
    assert str(home / "cache") in lines[1]
    words = shlex.split(lines[-1])
    assert words[:5] == ["cellwise", "run", "plate1.zip", "--out", "plate1.run"]
    assert words[5:] == ["--recipe", "segment-only"]
    assert "fetching into" in found.stderr
    facts = json.loads(call("check", "plate1.zip", "--json").stdout)
    local = json.loads(call("check", "plate1", "--json").stdout)
    assert facts["folder"] == "plate1.zip"
    assert facts["copy"]["files"] == 8
    for name in ("layout", "channels", "counts", "images", "scales", "recipe"):
        assert facts[name] == local[name]


@pytest.mark.long
def test_a_zip_gives_the_results_of_its_folder(home):
    pack(home / "plate1", home / "plate1.zip")
    assert call("run", "plate1", "--out", "local.run", *QUIET).exit_code == 0
    assert call("run", "plate1.zip", "--out", "zip.run", *QUIET).exit_code == 0
    assert results("local.run") == results("zip.run")
    assert len(results("zip.run")) > 4
    copies = record("zip.run")["inputs"]["copies"]
    assert copies["folder"]["address"] == str(home / "plate1.zip")
    assert "copies" not in record("local.run")["inputs"]
    page = (home / "zip.run" / "report.html").read_text(encoding="utf-8")
    assert "Images copied from" in page
    assert str(home / "plate1.zip") in page


@pytest.mark.long
def test_jobs_read_the_copy_and_the_run_still_says_where_it_came_from(home):
    packed = pack(home / "plate1", home / "plate1.zip")
    words = ("--recipe", "segment-only", *QUIET)
    script = call("run", "plate1.zip", "--out", "a.run", *words, "--print-slurm").stdout
    (copy,) = (home / "cache").glob("*/copy/plate1")
    assert f" run {copy} --out {home / 'a.run'} " in script
    assert "plate1.zip" not in script
    packed.unlink()
    assert call("run", copy, "--out", "a.run", *words).exit_code == 0
    assert record("a.run")["inputs"]["copies"]["folder"]["address"] == str(packed)


def test_the_window_takes_what_the_command_takes(home):
    pack(home / "plate1", home / "plate1.zip")
    facts = cellwise.check("plate1.zip")
    assert facts["counts"]["sites_usable"] == 4
    run = cellwise.run("plate1.zip", recipe="segment-only")
    assert run.path == Path("plate1.run")
    assert run.cells.height > 0
    with pytest.raises(UsageError, match="Path drops one"):
        cellwise.run(Path("s3://screen/plate1"))


@pytest.mark.parametrize("verb", ["run", "check"])
@pytest.mark.parametrize("out", ["s3://screen/plate1.run", "gs://screen/run", "s3:/screen/run"])
def test_output_to_an_address_is_refused(home, verb, out):
    with pytest.raises(UsageError, match=r"--out names a place on a file system"):
        call(verb, "plate1", "--out", out)
    assert {path.name for path in home.iterdir()} == {"plate1", "labels.csv"}


def test_runs_are_read_from_this_machine_alone(home):
    with pytest.raises(UsageError, match="RUN names a place on a file system"):
        call("predict", "s3://screen/plate1.run", "plate1", "--out", "x.run")


@pytest.mark.parametrize("verb", ["export", "evaluate", "report", "status", "simulate", "view"])
def test_other_commands_refuse_addresses(home, verb, monkeypatch, capsys):
    from cellwise.app.cli import main

    monkeypatch.setattr("sys.argv", ["cellwise", verb, "s3://me:PASSWORD@screen/plate1.run"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "reads and writes folders of this machine" in said
    assert "PASSWORD" not in said
    assert not Path("s3:").exists()


@pytest.mark.slow
@pytest.mark.long
def test_a_bucket_gives_the_results_of_its_folder_and_goes_on(home, bucket):
    bucket.upload(home / "plate1", "screens/plate1")
    bucket.put("screens/labels.csv", (home / "labels.csv").read_bytes())
    root = f"s3://{bucket.name}/screens"
    words = ("--recipe", "segment-only", *QUIET)
    assert call("run", "plate1", "--labels", "labels.csv", "--out", "a.run", *words).exit_code == 0
    there = (f"{root}/plate1", "--labels", f"{root}/labels.csv", "--out", "b.run", *words)
    assert call("run", *there).exit_code == 0
    assert results("a.run") == results("b.run")
    said = record("b.run")["inputs"]["copies"]
    assert said["folder"]["address"] == f"{root}/plate1"
    assert said["read: labels"]["address"] == f"{root}/labels.csv"
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert not [value for value in KEYS.values() if value.encode() in written]

    again = call("run", *there)
    assert again.exit_code == 0
    assert {step["state"] for step in record("b.run")["steps"]} == {"reused"}

    before = results("b.run")
    dna, _ = draw(77)
    save(home / "other.png", dna)
    bucket.put("screens/plate1/A02_DNA.png", (home / "other.png").read_bytes())
    found = call("run", *there)
    assert found.exit_code == 0
    assert "1 of them new or changed" not in found.stderr
    assert "segment: 1 site (1 changed)" in found.stderr
    after = results("b.run")
    assert {name for name in before if before[name] != after[name]} == {
        *("cells.parquet", "A02_cells.tif", "A02_nuclei.tif")
    }

    for channel in ("DNA", "GFP"):
        bucket.remove(f"screens/plate1/A03_{channel}.png")
    assert call("run", *there).exit_code == 0
    assert "A03" not in set(cellwise.open_run("b.run").cells["site_id"])

    field(home / "plate9", "H12", 5)
    bucket.upload(home / "plate9", "plate9")
    with pytest.raises(PreflightError, match=f"holds the results of {root}/plate1, and s3://"):
        call("run", f"s3://{bucket.name}/plate9", "--out", "b.run", *words)

"""A run of a whole recipe holds no file, key or column that its page does not name."""

import json

import polars as pl
import pytest
from tests.docs import run_folder_page as page


def strangers(names, patterns):
    return [name for name in names if not any(one.fullmatch(name) for one in patterns)]


def test_every_file_is_in_the_page(finished):
    files = [
        p.relative_to(finished.path).as_posix() for p in finished.path.rglob("*") if p.is_file()
    ]
    assert len(files) > 40
    assert strangers(files, page.paths()) == []
    assert strangers(["models/cell/notes.txt", "tables.parquet", "masks/A01.png"],
                     page.paths()) != []  # fmt: skip


@pytest.mark.parametrize(
    ("file", "section"),
    [
        ("run.json", "run.json"),
        ("reading.json", "reading.json"),
        ("split.json", "split.json"),
        ("metrics.json", "metrics.json"),
        ("evaluation.json", "evaluation.json"),
        ("decisions/decide.json", "decisions/*.json"),
        ("models/cell/fold0/model.json", "model.json"),
    ],
)
def test_every_key_is_in_the_page(finished, file, section):
    content = json.loads((finished.path / file).read_text(encoding="utf-8"))
    assert content
    assert set(content) <= page.keys(section)


def test_every_column_is_in_the_page(finished):
    kinds = {"predictions_well": "predictions", "cell": "scores", "control": "scores",
             "inherited": "labels"}  # fmt: skip
    known, more = page.tables(), page.families()
    looked_at = 0
    for path in sorted(finished.path.rglob("*.parquet")):
        inside = path.relative_to(finished.path)
        if inside.parts[0] == "work":
            continue
        stem = path.stem.removesuffix("_control")
        columns = known[kinds.get(stem, stem)]
        extra = [name for name in pl.read_parquet_schema(path) if name not in columns]
        assert strangers(extra, more) == [], inside
        looked_at += 1
    assert looked_at > 9

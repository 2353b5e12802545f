"""Verdicts that come into the run from other tools, leave it, and cells drawn for the audit."""

import base64
import binascii
import csv
import io
import re
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.app.audit import draw_cells
from cellwise.app.view.desk.desk import Desk
from cellwise.errors import FormatError, PreflightError, UsageError
from cellwise.store.annotations.draws import read_draw
from cellwise.store.annotations.imported import imported
from cellwise.store.annotations.outlines import followed
from cellwise.store.annotations.saves import annotations, merge, save
from cellwise.store.annotations.tables import read_verdicts

_CSV = ("site_id", "cell_id", "mask_key", "x", "y", "class", "verdict", "drawn", "who", "when")


def bring(desk: Desk, title: str, content: str, *, who: str, coded: bool = False) -> dict[str, Any]:
    """Take in a table of verdicts that the browser sends.

    Args:
        desk: The desk of the run.
        title: The name of the file, for words of errors.
        content: A CSV file as text, or the bytes of any file in Base64.
        who: Who is taken to have judged where the table does not say.
        coded: Whether it is Base64.

    Raises:
        PreflightError: The table cannot be understood, or the desk is closed.
        UsageError: The content is no Base64.
    """
    listed = desk.classes()
    run = desk.opened.run
    name = re.sub(r"[^\w. -]", "_", Path(title).name)[-100:] or "verdicts.csv"
    ending = ".parquet" if name.endswith(".parquet") else ".csv"
    with tempfile.TemporaryDirectory(prefix="cellwise-") as folder:
        path = Path(folder) / (name.removesuffix(ending) + ending)
        path.write_bytes(_decoded(content) if coded else content.encode())
        try:
            brought = read_verdicts(path, listed.positive, listed.negative)
            if brought.ours:
                # A table of annotations holds its outlines: it is kept as it is.
                save(run, brought.rows, saves=desk.opened.said.saves)
                found = followed(brought.rows, run.masks)
            else:
                named = pl.col("who").replace("", who)
                rows = brought.rows.with_columns(named)
                found = imported(run, path, type(brought)(rows, brought.repeated, ours=False))
        except (PreflightError, FormatError) as error:
            raise type(error)(str(error).replace(f"{folder}/", "")) from error
    return {
        "verdicts": len(found.found),
        "cells": found.found.select("site_id", "cell_id").n_unique(),
        "lost": [f"{site}/{cell}" for site, cell in found.lost],
    }


def table(desk: Desk) -> str:
    """All that holds now as a CSV file, which `bring` takes in again."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_CSV, "model_said"])
    writer.writerows(annotations(desk.opened.run).select(*_CSV, "model_said").iter_rows())
    return text.getvalue()


def backup(desk: Desk) -> Path:
    """The one file that holds all, outlines too; made anew.

    Raises:
        PreflightError: The desk is closed.
    """
    desk.classes()
    run = desk.opened.run
    merge(run, desk.opened.said.saves)
    return run.annotations / "annotations.parquet"


def draw(desk: Desk, count: int) -> int:
    """Draw cells at random for the audit; returns how many.

    Raises:
        PreflightError: There is a draw, or nothing to draw from.
    """
    desk.classes()
    draw_cells(desk.opened.run.path, count, seed=0)
    found = read_draw(desk.opened.run)
    return 0 if found is None else len(found.drawn)


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError("The file did not arrive whole. Try again.") from error

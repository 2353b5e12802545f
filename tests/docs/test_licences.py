"""No package of an unknown or unfree licence comes in without a reason, and the page says which."""

import importlib.util
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("licences", ROOT / ".ci" / "licences.py")
licences = sys.modules["licences"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(licences)
# Files that are code, or written for cellwise as code is.
OWN = {".py", ".pyc", ".yaml", ".html", ".js", ".css", ".typed", ".so"}


def test_the_page_is_that_of_the_packages():
    rows = licences.current()
    assert licences.wrong_with(rows) == []
    page = (ROOT / "docs/reference/licences.md").read_text(encoding="utf-8")
    assert page == licences.written(rows), "run `python .ci/licences.py --write`"


def test_every_pinned_package_has_a_row_with_its_licence_and_what_brings_it():
    rows = licences.recorded()
    assert {name: rows[name].version for name in licences.pins()} == licences.pins()
    assert "core" in rows["torch"].within.split(", ")
    assert rows["bioio-czi"].within == "bioio-czi"
    assert all(one.licence and one.within for one in rows.values())


@pytest.mark.parametrize(
    ("name", "licence", "said"),
    [
        ("numpy", "GPL-3.0-or-later", "numpy 1.0: GPL-3.0-or-later"),
        ("somebody", "unknown", "somebody 1.0: unknown"),
        ("certifi", "AGPL-3.0", "known as MPL-2.0"),
        ("numpy", "LicenseRef-NVIDIA-Proprietary", "NVIDIA"),
    ],
)
def test_what_is_not_free_is_told(name, licence, said):
    (found,) = licences.wrong_with([licences.Package(name, "1.0", licence, "core")])
    assert said in found


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("MIT", True),
        ("GPL-3.0 OR MIT", True),
        ("GPL-3.0 AND MIT", False),
        ("Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSL-1.0", True),
        ("(GPL-3.0 OR MIT) AND ISC", False),
        ("unknown", False),
    ],
)
def test_of_alternatives_one_is_enough_of_parts_all_count(licence, free):
    assert licences.is_free(licence) is free


@pytest.mark.parametrize(
    ("lines", "text", "licence"),
    [
        ("License-Expression: mit and isc", "", "MIT AND ISC"),
        ("License: Apache License 2.0", "", "Apache-2.0"),
        ("License: BSD\nClassifier: License :: OSI Approved :: MIT License", "", "MIT"),
        ("Classifier: License :: OSI Approved :: BSD License", "", "BSD"),
        ("License: see the file", "MIT License\n\nCopyright", "MIT"),
        ("License: see the file", "All rights reserved", "unknown"),
    ],
)
def test_a_licence_is_read_wherever_it_is_stated(tmp_path, lines, text, licence):
    folder = tmp_path / "some-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: some\nVersion: 1.0\n{lines}\n")
    (folder / "LICENSE").write_text(text)
    (folder / "RECORD").write_text("some-1.0.dist-info/LICENSE,,\n")
    (found,) = metadata.distributions(path=[str(tmp_path)])
    assert licences.licence_of(found) == licence


def test_everything_embedded_is_listed_and_there():
    places = [place for place, *_ in licences.EMBEDDED]
    assert all((ROOT / place).exists() for place in places)
    files = [p for p in (ROOT / "src/cellwise").rglob("*") if p.is_file()]
    data = [
        p.relative_to(ROOT).as_posix()
        for p in files
        if p.suffix not in OWN and "__pycache__" not in p.parts
    ]
    assert len(data) > 100
    assert [one for one in data if not one.startswith(tuple(places))] == []

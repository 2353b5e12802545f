"""The licences of all pinned packages and of embedded files: check them, or write their page.

    python .ci/licences.py                            # exit 1 where something is wrong
    python .ci/licences.py --write [--also FOLDER]    # docs/reference/licences.md

A licence is read from the metadata of the installed package, or of one that was installed into
FOLDER (`uv pip install --no-deps --target FOLDER PACKAGE==VERSION`). Rows of pinned packages that
are in neither place stay as they are in the page.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/reference/licences.md"
UNKNOWN = "unknown"
FREE = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT",
    "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib",
}  # fmt: skip
_MPL = "weak copyleft of its own files; used unchanged as a library"
_NVIDIA = "comes with the usual torch for NVIDIA GPUs; the CPU build of torch is without it"
_CZI = "only with the extra `bioio-czi`, which is apart from `bioio` so that it is chosen"
# Licences that are no free ones of the list above, and why the package may be used.
REASONED = {
    "aicspylibczi": ("GPL-3.0-or-later", _CZI),
    "bioio-czi": ("GPL-3.0", _CZI),
    "pylibczirw": ("LGPL-3.0", _CZI),
    "certifi": ("MPL-2.0", _MPL),
    "hypothesis": ("MPL-2.0", f"{_MPL}; tests only"),
    "legacy-api-wrap": ("MPL-2.0", _MPL),
    "pathspec": ("MPL-2.0", f"{_MPL}; types and documents only"),
    "session-info2": ("MPL-2.0", _MPL),
    "tqdm": ("MPL-2.0 AND MIT", _MPL),
    "cuda-toolkit": (UNKNOWN, f"a list of the libraries of NVIDIA; {_NVIDIA}"),
}
_PROPRIETARY = "LicenseRef-NVIDIA-Proprietary"
# How packages write their licence where they give no SPDX expression.
_WORDS = {
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD",
    "bsd license": "BSD",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd-3 license": "BSD-3-Clause",
    "freebsd": "BSD-2-Clause",
    "gnu general public license v3 (gplv3)": "GPL-3.0",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "nvidia proprietary software": _PROPRIETARY,
    "other/proprietary license": _PROPRIETARY,
    "python software foundation license": "PSF-2.0",
}
_TEXTS = (("Apache License", "Apache-2.0"), ("Apache Software License 2.0", "Apache-2.0"),
          ("MIT License", "MIT"))  # fmt: skip
# Folders and files with content that was made elsewhere or by data, and their licences.
EMBEDDED = (
    ("src/cellwise/demo/plate", "48 wells of the plate BBBC013",
     "BSD-3-Clause of the copy used; see its note", "Ljosa et al. 2012"),
    ("src/cellwise/demo/mitocheck", "2,404 nuclei of MitoCheck",
     "CC BY 4.0", "Neumann et al. 2010, Tomkinson et al. 2024"),
    ("src/cellwise/weights", "weights of `small_unet`",
     "BSD-3-Clause; learned from CC0 images", "BBBC039, DSB 2018 (BBBC038)"),
    ("src/cellwise/store/stains", "words of stains and dyes",
     "BSD-3-Clause", "own table; each row names its source"),
    ("src/cellwise/store/worlds/class_lists", "names of the 19 classes of the HPA challenge",
     "facts", "HPA challenge 2021"),
    ("src/cellwise/app/models/dpn_unet.shapes.txt", "names and sizes of weights",
     "facts", "published weights of HPA-Cell-Segmentation"),
    ("website/vendored", "iframe-worker 1.0.4, for the search of the site",
     "MIT", "Martin Donath"),
)  # fmt: skip
HEAD = """# Licences

cellwise is under BSD-3-Clause. Here is what it may be installed with, at the versions of
`constraints.txt`, and what is embedded in it. `python .ci/licences.py --write` makes this page from
the metadata of the packages; a test refuses licences that are unknown, or not free without a reason
given here. What the extras without pinned versions (`cellpose`, `instanseg`, `cp-measure`,
`pretrained`, `profiles`) bring with them in turn is not listed.
"""
NOTE = """*comes with*: `core`, or the extras of `pip install 'cellwise[EXTRA]'` that bring it; `-`
where only another system or Python brings it. *BSD*: the package does not state which of these.
"""


@dataclass(frozen=True, slots=True)
class Package:
    """A row: its name, version, licence as an SPDX expression, and what it comes with."""

    name: str
    version: str
    licence: str
    within: str


def licence_of(package: metadata.Distribution) -> str:
    """The licence of a package as it states it, `unknown` where it does not."""
    told = package.metadata
    stated = [told.get("License-Expression") or "", (told.get("License") or "").strip()]
    short = [text.partition("\n")[0] for text in stated if text]
    listed = [
        one.rpartition(" :: ")[2]
        for one in told.get_all("Classifier") or []
        if one[:7] == "License"
    ]
    found = [licence for text in (*short, " AND ".join(filter(None, map(_spelled, listed))))
             if (licence := _spelled(text)) != ""]  # fmt: skip
    # Of several words for one licence the most exact one.
    exact = [one for one in found if one != "BSD"]
    if exact or found:
        return (exact or found)[0]
    return _of_text(package)


def _spelled(text: str) -> str:
    """A licence as an SPDX expression; empty where it is none."""
    word = _WORDS.get(text.lower())
    if word:
        return word
    try:
        return canonicalize_license_expression(text)
    except (InvalidLicenseExpression, ValueError):
        parts = text.split(" AND ")
        return text if parts and all(part in {*FREE, *_WORDS.values()} for part in parts) else ""


def _of_text(package: metadata.Distribution) -> str:
    for file in package.files or ():
        if re.search(r"dist-info/(licenses/)?LICEN[CS]E", str(file)):
            text = " ".join(Path(str(file.locate())).read_text("utf-8", "replace").split())[:200]
            for start, licence in _TEXTS:
                if text.startswith(start):
                    return licence
    return UNKNOWN


def is_free(licence: str) -> bool:
    """Whether every part of an expression is a free licence; of alternatives one is enough."""
    plain = re.sub(r" WITH [\w.-]+", "", licence)
    if "(" not in plain and " AND " not in plain:
        return any(part in FREE for part in plain.split(" OR "))
    return all(part in FREE for part in re.split(r" AND | OR |[()]", plain) if part.strip())


def wrong_with(packages: Iterable[Package]) -> list[str]:
    """The packages whose licence is neither a free one nor one with a reason."""
    found = []
    for one in packages:
        reasoned = REASONED.get(one.name)
        if is_free(one.licence) or (one.licence == _PROPRIETARY and _of_nvidia(one)):
            continue
        if reasoned is None:
            found.append(f"{one.name} {one.version}: {one.licence}")
        elif reasoned[0] != one.licence:
            found.append(f"{one.name} {one.version}: {one.licence}, known as {reasoned[0]}")
    return found


def _of_nvidia(package: Package) -> bool:
    return package.name.startswith("nvidia-")


def pins() -> dict[str, str]:
    """Versions of the pinned packages."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    split = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {str(canonicalize_name(name)): version for name, version in split}


def asked() -> dict[str, list[str]]:
    """Direct dependencies by what they come with: `core` or an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"core": project["dependencies"], **project["optional-dependencies"]}


def installed(folders: Iterable[Path]) -> dict[str, metadata.Distribution]:
    """Packages of this environment and of these folders."""
    more = [metadata.distributions(path=[str(folder)]) for folder in folders]
    every = [one for found in (*more, metadata.distributions()) for one in found]
    return {str(canonicalize_name(one.metadata["Name"])): one for one in every}


def within(packages: Mapping[str, metadata.Distribution]) -> dict[str, list[str]]:
    """What each package comes with, found by walking through what packages require."""
    found: dict[str, list[str]] = {}
    for part, direct in asked().items():
        waiting = [Requirement(line) for line in direct]
        seen: set[tuple[str, frozenset[str]]] = set()
        while waiting:
            one = waiting.pop()
            name, extras = str(canonicalize_name(one.name)), frozenset(one.extras)
            if (name, extras) in seen:
                continue
            seen.add((name, extras))
            if part not in found.setdefault(name, []):
                found[name].append(part)
            if name in packages:
                waiting += _required(packages[name], extras)
    return found


def _required(package: metadata.Distribution, extras: frozenset[str]) -> list[Requirement]:
    lines = [Requirement(line) for line in package.requires or ()]
    return [
        one for one in lines
        if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in ("", *extras))
    ]  # fmt: skip


def recorded() -> dict[str, Package]:
    """The rows of the page."""
    rows = re.findall(
        r"^\| `([^`]+)` \| (\S+) \| (.+?) \| (.*?) \|$", PAGE.read_text("utf-8"), re.M
    )
    return {row[0]: Package(*row) for row in rows}


def current(folders: Iterable[Path] = ()) -> list[Package]:
    """The rows as they ought to be: all pinned packages, and direct ones that are not pinned."""
    here, kept, pinned = installed(folders), recorded() if PAGE.is_file() else {}, pins()
    places = within(here)
    direct = {
        str(canonicalize_name(Requirement(one).name)) for lines in asked().values() for one in lines
    }
    rows = []
    for name in sorted({*pinned, *direct}):
        package, known = here.get(name), kept.get(name)
        # What is not pinned is as it was looked up, until it is looked up again.
        told = known.version if known is not None and not folders else None
        if package is not None and package.version == pinned.get(name, told or package.version):
            place = known.within if known and not folders else ", ".join(places.get(name, ["-"]))
            rows.append(Package(name, package.version, licence_of(package), place))
        elif known is not None and known.version == pinned.get(name, known.version):
            rows.append(known)
        else:
            rows.append(Package(name, pinned.get(name, "any"), UNKNOWN, ""))
    return rows


def written(rows: Iterable[Package]) -> str:
    """The page."""
    rows = list(rows)
    reasons = [(one.name, one.licence, REASONED[one.name][1]) for one in rows
               if one.name in REASONED]  # fmt: skip
    if any(one.licence == _PROPRIETARY for one in rows):
        reasons.append(("nvidia-*", _PROPRIETARY, _NVIDIA))
    parts = [
        HEAD,
        "## Embedded data and files\n",
        _table("where | what | licence | source", [(f"`{one[0]}`", *one[1:]) for one in EMBEDDED]),
        "## Licences that need a reason\n",
        _table("package | licence | why it is used", reasons),
        f"## All packages\n\n{NOTE}",
        _table("package | version | licence | comes with",
               [(f"`{one.name}`", one.version, one.licence, one.within) for one in rows]),
    ]  # fmt: skip
    return "\n".join(parts)


def _table(head: str, rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, " | ".join("---" for _ in head.split("|")), *(" | ".join(row) for row in rows)]
    return "".join(f"| {line} |\n" for line in lines)


def main() -> None:
    """Check, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page")
    parser.add_argument(
        "--also", type=Path, action="append", default=[], help="a folder of packages"
    )
    options = parser.parse_args()
    rows = current(options.also)
    if options.write:
        PAGE.write_text(written(rows), encoding="utf-8")
    found = wrong_with(rows)
    for line in found:
        print(line)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()

"""The figures of README.md: what an installation takes, and how long the demo takes.

    cellwise demo --out demo.run
    python -m benchmarks.front_page --runs demo.run [MORE.run ...]   # record and write
    python -m benchmarks.front_page                                  # write what was recorded last

Recorded in `benchmarks/front_page.json`: of each demo its seconds, cores, the load of the machine
when it began, its date, and the last commit of the branch main before it. A test holds the text
between the marks in README.md against that file.
"""

import argparse
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "benchmarks" / "front_page.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- made by `python -m benchmarks.front_page` -->", "<!-- end -->"


def installed_bytes() -> int:
    """Bytes of the files of all installed packages that `constraints.txt` names."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {canonicalize_name(line.partition("==")[0]) for line in lines if "==" in line}
    files = {
        Path(str(file.locate()))
        for package in metadata.distributions()
        if canonicalize_name(package.metadata["Name"]) in pinned
        for file in package.files or ()
    }
    return sum(file.stat().st_size for file in files if file.is_file())


def one_demo(run: Path) -> dict[str, Any]:
    """What the folder of a demo says; stop where it did not pass its own check."""
    told = json.loads((run / "demo.json").read_text(encoding="utf-8"))
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    if not told["ok"]:
        sys.exit(f"{run} did not pass its own check: its time counts for nothing.")
    return {
        "seconds": told["seconds"],
        "cores": record["processor"]["cores"],
        "load": round(record["processor"]["load"], 1),
        "device": record["device"],
        "date": record["started"][:10],
        "commit": _commit_before(record["started"]),
    }


def _commit_before(time: str) -> str:
    words = ["git", "log", "main", "-1", f"--before={time}", "--format=%h"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def said(found: dict[str, Any]) -> str:
    """The sentences of the page."""
    demos = "; ".join(
        f"{one['seconds']:.0f} s at a load of {one['load']:g} ({one['date']}, commit "
        f"{one['commit']})" for one in found["demos"]
    )  # fmt: skip
    cores = found["demos"][0]["cores"]
    return (
        f"The installation takes {found['installed_gb']:g} GB with the usual torch and all that "
        f"the tests need.\nThe demo took, on {cores} cores that other programs used too and "
        f"without a GPU: {demos}."
    )


def written(page: str, found: dict[str, Any]) -> str:
    """The page with these figures between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{said(found)}\n{END}{after}"


def main() -> None:
    """Record if runs are given, then write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, nargs="+", help="folders of `cellwise demo`")
    told = parser.parse_args()
    if told.runs:
        gigabytes = round(installed_bytes() / 1e9, 1)
        found = {"installed_gb": gigabytes, "demos": [one_demo(run) for run in told.runs]}
        RECORD.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    found = json.loads(RECORD.read_text(encoding="utf-8"))
    README.write_text(written(README.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()

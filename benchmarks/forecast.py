"""What `check` says a run will cost, beside what the run then takes: CPU seconds of each step.

    python benchmarks/forecast.py [--cases NAME ...] [--real DATA] [--workers 2] [--json FILE]

A case is a folder and the words of `check`: simulated fields of the laboratory, a field of 6,000
pixels, and with `--real` the pictures in DATA. `check` is asked first and its last line is run as
it stands, but for the place of the run folder and the number of workers. CPU seconds are those of
the command and of all processes that it started, from `/proc` (Linux only). Steps of under half a
second on both sides are left out of the table, not of the sum. `--keep` leaves the folders, to be
asked again for other cases.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SMALL = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")
_ROOT = Path(__file__).resolve().parents[1]
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "hpa-like, 40 fields": ("hpa 40", ()),
    "hpa-like, 60 fields": ("hpa 60", ()),
    "hpa-like, 150 fields": ("hpa 150", ()),
    "hpa-like, 60 fields, features-quick": ("hpa 60", ("--recipe", "features-quick")),
    "hpa-like, 150 fields, features-quick": ("hpa 150", ("--recipe", "features-quick")),
    "one field of 6,000 px": ("large 6000", ("--recipe", "segment-only")),
}
REAL: dict[str, tuple[str, tuple[str, ...]]] = {
    "bbbc039, segment-only": ("bbbc039_nuclei/images", ("--recipe", "segment-only")),
    "bbbc013, a plate with controls": (
        "bbbc013_translocation",
        ("--labels", "{folder}/wells.csv", "--set", "read.label=control"),
    ),
    "rxrx1, cell types": (
        "rxrx1_sites",
        ("--labels", "{folder}/metadata.csv", "--set", "read.label=cell_type"),
    ),
}


def cpu() -> float:
    """CPU seconds of this process and of all below it, ended ones too."""
    used, below = 0.0, _children(os.getpid())
    while below:
        one = below.pop()
        try:
            words = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        used += sum(int(word) for word in words[11:15]) / _TICKS
        below += _children(one)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used + time.process_time() + ended.ru_utime + ended.ru_stime


def _children(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:
            continue
    return found


def measure_here(words: list[str]) -> None:
    """Be the command; the last line says what each step took."""
    from cellwise.app.cli import main
    from cellwise.flow.pipeline import run

    used: dict[str, float] = {}
    before: Any = run._one_step

    def one(step: Any, state: Any, options: str) -> Any:
        begun = cpu()
        try:
            return before(step, state, options)
        finally:
            used[step.title] = cpu() - begun

    run._one_step = one
    sys.argv, code = ["cellwise", *words], 0
    try:
        main()
    except SystemExit as ending:
        code = int(ending.code or 0)
    print("\n" + json.dumps({"code": code, "steps": used, "whole": cpu()}))


def folder_of(what: str, data: Path | None, work: Path) -> Path:
    """The images of a case, made where they are not there yet."""
    kind, _, number = what.partition(" ")
    if not number:
        assert data is not None
        return data / what
    folder = work / what.replace(" ", "-")
    if folder.exists():
        return folder
    if kind == "large":
        sys.path.insert(0, str(_ROOT))
        from benchmarks.large_field import drawn, write

        write(folder, drawn(int(number)))
        return folder
    words = ("--world", kind, "--severity", "easy", "--sites", number, "--size", "256")
    done = _command("simulate", str(folder), *words, "--workers", "1")
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return folder


def _command(*words: str, once: bool = False) -> subprocess.CompletedProcess[str]:
    around = {**os.environ, "PYTHONPATH": str(_ROOT / "src"), "OMP_NUM_THREADS": "1"}
    start = [__file__, "--once"] if once else ["-c", "from cellwise.app.cli import main; main()"]
    call = [sys.executable, *start, *words]
    return subprocess.run(call, env=around, capture_output=True, text=True, check=False)


def compare(what: str, words: tuple[str, ...], asked: Any, work: Path) -> dict[str, Any]:
    """What `check` said and what the run took."""
    folder = folder_of(what, asked.real, work)
    words = tuple(word.replace("{folder}", str(folder)) for word in words)
    found = _command("check", str(folder), *words, "--json")
    facts = json.loads(found.stdout)
    if not facts["cost"]:
        raise SystemExit(f"{what}: {facts['refused']}")
    with tempfile.TemporaryDirectory(dir=work) as out:
        there = ("--out", f"{out}/run", "--workers", str(asked.workers))
        with_recipe = words if "--recipe" in words else (*words, "--recipe", facts["recipe"])
        done = _command("run", str(folder), *with_recipe, *there, once=True)
    taken = json.loads(done.stdout.splitlines()[-1])
    if taken["code"] not in (0, 3):
        raise SystemExit(f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    said = facts["cost"]["cpu_seconds_per_step"]
    steps = {title: (said.get(title, 0.0), used) for title, used in taken["steps"].items()}
    return {
        "recipe": facts["recipe"],
        "steps": steps,
        "whole": (facts["cost"]["cpu_seconds"], taken["whole"]),
    }


def main() -> None:
    """Compare, and print one row for each case and the steps of each."""
    if sys.argv[1:2] == ["--once"]:
        measure_here(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="*", choices=[*CASES, *REAL], default=None)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    known = {**CASES, **(REAL if asked.real else {})}
    print(f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    print("| case | recipe | said | taken | said / taken | steps: said / taken |")
    print("| --- | --- | --- | --- | --- | --- |")
    found = {}
    with tempfile.TemporaryDirectory() as made:
        work = asked.keep or Path(made)
        work.mkdir(exist_ok=True)
        for case in asked.cases or known:
            one = found[case] = compare(*known[case], asked, work)
            steps = ", ".join(
                f"{title} {said:.1f} / {taken:.1f}"
                for title, (said, taken) in one["steps"].items()
                if max(said, taken) >= SMALL
            )
            said, taken = one["whole"]
            ratio = f"{said / taken:.2f}"
            row = (case, one["recipe"], f"{said:.0f}", f"{taken:.0f}", ratio, steps)
            print(f"| {' | '.join(row)} |", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()

"""Build the wheel and the source archive, look into them, and run the demo from the wheel alone.

    make release

The wheel is installed in a new environment in a temporary folder, without the sources beside it and
without variables of this one; the demo has to pass there. The change log is made by
`towncrier build --version X` before, so that it is in both archives.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_MB = 20.0
# Of each kind of file that is read while the program runs, one that must be there.
NEEDED = (
    "cellwise/recipes/hpa-quick.yaml",
    "cellwise/weights/small_unet.safetensors",
    "cellwise/weights/small_unet.md",
    "cellwise/demo/plate/wells.csv",
    "cellwise/demo/plate/LICENCE.md",
    "cellwise/demo/mitocheck/cells.tif",
    "cellwise/demo/mitocheck/LICENCE.md",
    "cellwise/store/stains/stains.csv",
    "cellwise/app/view/static/cells.html",
    "cellwise/app/view/static/gallery.js",
    "cellwise/py.typed",
)
UNWANTED = ("tests/", "benchmarks/", "website/", "site/", ".run/", "__pycache__")


def run(*words: object, **options: object) -> None:
    """Give a command; stop where it fails."""
    subprocess.run([str(word) for word in words], check=True, **options)  # type: ignore[call-overload]


def installing() -> dict[str, str]:
    """Variables with which packages come also where the system has certificates of its own."""
    return {**os.environ, "UV_SYSTEM_CERTS": "true"}


def wrong_with(names: list[str], size: int) -> list[str]:
    """What is wrong with a wheel of these files and this size in bytes."""
    found = [f"{name} is missing" for name in NEEDED if name not in names]
    found += [
        f"{name} does not belong in it" for name in names if any(part in name for part in UNWANTED)
    ]
    if not any(name.endswith("licenses/LICENSE") for name in names):
        found.append("the licence is missing")
    if size > MOST_MB * 1e6:
        found.append(f"it has {size / 1e6:.1f} MB, more than {MOST_MB:.0f}")
    return found


def build(place: Path) -> tuple[Path, Path]:
    """Wheel and source archive in a folder."""
    run(sys.executable, "-m", "uv", "build", "--quiet", "--out-dir", place, ROOT, env=installing())
    (wheel,), (source,) = place.glob("*.whl"), place.glob("*.tar.gz")
    return wheel, source


def look_into(wheel: Path, source: Path) -> None:
    """Stop where the archives hold too much or too little."""
    with zipfile.ZipFile(wheel) as packed:
        found = wrong_with(packed.namelist(), wheel.stat().st_size)
    with tarfile.open(source) as packed_source:
        inside = {name.partition("/")[2] for name in packed_source.getnames()}
    found += [f"{name} is missing in {source.name}" for name in ("LICENSE", "README.md",
              "pyproject.toml", "src/cellwise/__init__.py") if name not in inside]  # fmt: skip
    if found:
        sys.exit(f"{wheel.name}: " + "; ".join(found))
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, nothing missing or too much")


def try_out(wheel: Path, home: Path) -> None:
    """The demo from the wheel alone; stop where it does not pass."""
    python = home / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", home / "venv")
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python,
        "-c", ROOT / "constraints.txt", wheel, env=installing())  # fmt: skip
    alone = {"HOME": str(home), "PATH": os.defpath}
    command = python.with_name("cellwise")
    run(command, "demo", "--out", home / "demo.run", env=alone, cwd=home)
    told = json.loads((home / "demo.run" / "demo.json").read_text(encoding="utf-8"))
    where = [python, "-c", "import cellwise; print(cellwise.__file__)"]
    found = subprocess.run(where, env=alone, cwd=home, capture_output=True, text=True, check=True)
    if not told["ok"] or not found.stdout.startswith(str(home)):
        sys.exit(f"the demo of the wheel did not pass ({found.stdout.strip()})")
    print(f"the demo passed from the wheel alone in {told['seconds']:.0f} s")


def main() -> None:
    """Build, look, try; the archives are left in dist/."""
    wheel, source = build(ROOT / "dist")
    look_into(wheel, source)
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        try_out(wheel, Path(folder))


if __name__ == "__main__":
    main()

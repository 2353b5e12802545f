"""The import order of the floors, read from syntax trees."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "src" / "cellwise"
FLOORS = ("errors", "registry", "domain", "store", "kernels", "synth", "parts", "stages", "app")
FILES = sorted(ROOT.rglob("*.py"))
# The one file of the app that drives a training itself; it is imported when one begins.
SEGMENTER_TRAINING = "app/train_segmenter/_fit.py"
DISK_WORDS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "imread", "imwrite"}


def floor_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "cellwise" and len(parts) > 1 else None


def imported(tree: ast.Module) -> list[tuple[str, bool]]:
    """Every imported module, with True where the import stands at the top of the file."""
    found = []
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found += [(name, id(node) in top) for name in names]
    return found


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=place)
def test_a_floor_imports_only_what_stands_above_it(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if own not in FLOORS:
        return
    for module, _ in imported(tree_of(path)):
        other = floor_of(module)
        if other in FLOORS:
            assert FLOORS.index(other) <= FLOORS.index(own), f"{place(path)} imports {module}"


@pytest.mark.parametrize("path", sorted((ROOT / "stages").rglob("*.py")), ids=place)
def test_stages_never_import_each_other(path):
    own = path.relative_to(ROOT / "stages").parts[0]
    for module, _ in imported(tree_of(path)):
        parts = module.split(".")
        if parts[:2] == ["cellwise", "stages"] and len(parts) > 2:
            assert parts[2] == own, f"{place(path)} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_heavy_libraries_stay_in_their_rooms(path):
    where = place(path)
    for module, at_top in imported(tree_of(path)):
        library = module.split(".")[0]
        if library == "torch":
            rooms = ("parts/", "stages/train/", "stages/score/", SEGMENTER_TRAINING)
            allowed = where.startswith(rooms) or (not at_top and where.startswith("app/"))
            assert allowed, f"{where} imports torch"
        if library == "lightning":
            rooms = ("parts/_trainer.py", "stages/train/", SEGMENTER_TRAINING)
            assert where.startswith(rooms), f"{where} imports lightning"
            assert not at_top or Path(where).name.startswith("_"), f"{where}: lightning at top"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_only_the_app_prints(path):
    if place(path).startswith("app/"):
        return
    calls = [n for n in ast.walk(tree_of(path)) if isinstance(n, ast.Call)]
    assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]


@pytest.mark.parametrize("path", FILES, ids=place)
def test_only_the_edge_opens_files(path):
    where = place(path)
    edge = ("store/", "app/", "stages/read/", "stages/export/")
    if where.startswith(edge) or path.name == "step.py" or where == "registry.py":
        return
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            assert name not in DISK_WORDS, f"{where}:{node.lineno} opens a file ({name})"

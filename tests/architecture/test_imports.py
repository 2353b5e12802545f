"""The import order of the floors, read from syntax trees: one test per rule."""

import ast
from pathlib import Path

from tests.architecture.sources import FILES, SRC, imported, module_name, place, tree_of

FLOORS = (
    *(
        "errors",
        "registry",
        "domain",
        "contracts",
        "store",
        "measures",
        "kernels",
        "parts",
        "learning",
        "stages",
    ),
    *("flow", "lab", "testing", "app"),
)
# The one file of the app that learns; it is imported when a training begins.
SEGMENTER_TRAINING = "app/train_segmenter/_fit.py"
DISK_WORDS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "imread", "imwrite"}
DISK_ROOMS = (
    *(
        "store/",
        "flow/",
        "lab/",
        "testing/",
        "app/",
        "stages/read/",
        "stages/export/",
        "registry.py",
    ),
)
TORCH_ROOMS = (
    *("contracts/", "parts/", "learning/", "stages/train/", "stages/score/", "stages/embed/net.py"),
    *("testing/", SEGMENTER_TRAINING),
)
LIGHTNING_ROOM = "learning/"


def is_package(module: str) -> bool:
    return (SRC.parent / Path(*module.split("."))).is_dir()


def floor_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "cellwise" and len(parts) > 1 else None


def test_a_floor_imports_only_what_stands_above_it():
    wrong = [
        f"{place(path)} imports {module}"
        for path in FILES
        if (own := place(path).split("/")[0].removesuffix(".py")) in FLOORS
        for module, _ in imported(path)
        if (other := floor_of(module)) in FLOORS and FLOORS.index(other) > FLOORS.index(own)
    ]
    assert not wrong


def test_stages_never_import_each_other():
    wrong = [
        f"{place(path)} imports {module}"
        for path in (SRC / "stages").rglob("*.py")
        for module, _ in imported(path)
        if module.startswith("cellwise.stages.")
        and module.split(".")[2] != path.relative_to(SRC / "stages").parts[0]
    ]
    assert not wrong


def test_what_is_private_to_a_package_stays_in_it():
    """A module or name that begins with `_` is for its own folder and the folders in it."""
    modules = {module_name(path) for path in FILES}
    wrong = []
    for path in FILES:
        where = place(path)
        own = ".".join(("cellwise", *path.relative_to(SRC).parts[:-1]))
        for module, _ in imported(path):
            parts = module.split(".")
            hidden = [i for i, part in enumerate(parts) if part[0] == "_" and part[:2] != "__"]
            if parts[0] != "cellwise" or not hidden:
                continue
            owner = ".".join(parts[: hidden[0]])
            # A name of a module is private to the folder that the module lies in.
            if owner in modules and not is_package(owner):
                owner = owner.rpartition(".")[0]
            if not f"{own}.".startswith(f"{owner}."):
                wrong.append(f"{where} imports {module}")
    assert not wrong


def test_no_file_imports_itself_over_others():
    """Imports that are carried out with the file; a lazy one inside a function starts nothing."""
    names = {module_name(path): path for path in FILES}
    graph = {
        name: {m for m, at_once in imported(path) if at_once and m in names and m != name}
        for name, path in names.items()
    }
    free: set[str] = set()
    while True:
        done = {name for name, needs in graph.items() if name not in free and needs <= free}
        if not done:
            break
        free |= done
    assert not sorted(set(graph) - free)


def test_heavy_libraries_stay_in_their_rooms():
    wrong = []
    for path in FILES:
        where = place(path)
        for module, at_once in imported(path):
            library = module.split(".")[0]
            lazily = not at_once and where.startswith(("flow/", "lab/", "app/"))
            if library == "torch" and not (where.startswith(TORCH_ROOMS) or lazily):
                wrong.append(f"{where} imports torch")
            if library == "lightning" and not where.startswith(LIGHTNING_ROOM):
                wrong.append(f"{where} imports lightning")
            if library == "lightning" and at_once and not Path(where).name.startswith("_"):
                wrong.append(f"{where}: lightning at top")
    assert not wrong


def test_only_the_app_prints():
    wrong = [
        f"{place(path)}:{node.lineno}"
        for path in FILES
        if not place(path).startswith("app/")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not wrong


def test_only_the_edge_opens_files():
    wrong = [
        f"{place(path)}:{node.lineno}"
        for path in FILES
        if not place(path).startswith(DISK_ROOMS) and path.name != "step.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) in DISK_WORDS
    ]
    assert not wrong


def test_no_folder_holds_more_than_twenty_files():
    folders = {path.parent for path in FILES}
    counts = {place(folder): len(list(folder.glob("*.py"))) for folder in folders}
    assert not {folder: count for folder, count in counts.items() if count > 20}

"""Steps declare themselves; the flow knows none of them by name."""

import ast
import inspect
import subprocess
import sys

from tests.architecture.sources import SRC, place, tree_of

from cellwise.flow.recipe.kinds import kinds, spec_of, step_module

STAGES = SRC / "stages"
# Folders of parts that no recipe names as a step.
NO_STEP = {"export"}
HEAVY = ("torch", "numpy", "polars", "numba", "scipy", "skimage", "cv2", "lightning", "pyarrow")
# The functions that a step may offer; a default may be left out, further ones must have one.
FUNCTIONS = {
    "check": ["options", "job"],
    "check_sites": ["job"],
    "foresee": ["job", "folder"],
    "missing": ["options"],
    "fetch": ["options"],
    "forecast": ["job", "trial"],
    "measure": ["options", "sides"],
    "prepare": ["job", "report"],
    "whole": ["job", "counts"],
    "present": ["job", "finished"],
    "settle": ["job", "batches"],
    "finish": ["job", "finished"],
    "key_options": ["options"],
    "key_parts": ["options", "device"],
}
WORK = {"site": ["sites", "job"], "table": ["job", "report"], "fold": ["job", "report"]}
OF_SITES = {"finish", "present", "settle"}


def own_kinds():
    return [kind for kind in kinds() if (STAGES / kind).is_dir()]


def docstrings(tree):
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    heads = [node.body[0] for node in ast.walk(tree) if isinstance(node, nodes) and node.body]
    return {id(head.value) for head in heads if isinstance(head, ast.Expr)}


def test_no_text_in_the_flow_is_the_name_of_a_kind():
    names = set(own_kinds())
    found = []
    for path in sorted((SRC / "flow").rglob("*.py")):
        tree = tree_of(path)
        passed = docstrings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                word, dot, _ = node.value.partition(".")
                if id(node) not in passed and (node.value in names or (dot and word in names)):
                    found.append(f"{place(path)}:{node.lineno} {node.value!r}")
    assert not found


def test_every_stage_declares_itself_and_does_its_work():
    folders = {p.parent.name for p in STAGES.glob("*/__init__.py")} - NO_STEP
    assert len(folders) >= 11
    for name in folders:
        assert {"spec.py", "step.py"} <= {p.name for p in (STAGES / name).iterdir()}, name
    assert folders == set(own_kinds())


def test_a_declaration_imports_nothing_heavy():
    for kind in own_kinds():
        code = (
            f"import sys, cellwise.stages.{kind}.spec\n"
            f"print(*(name for name in {HEAVY!r} if name in sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [], kind


def test_functions_of_steps_are_called_as_documented():
    for kind in own_kinds():
        grain, module = spec_of(kind).grain, step_module(kind)
        wanted = {**FUNCTIONS, "work": WORK[grain]}
        offered = {name for name in wanted if hasattr(module, name)}
        assert "work" in offered, kind
        assert ("finish" in offered) == (grain == "site"), kind
        unused = set() if grain == "site" else OF_SITES
        assert not offered & unused, (kind, offered & unused)
        for name in offered:
            parameters = list(inspect.signature(getattr(module, name)).parameters.values())
            names = [p.name for p in parameters]
            assert names[: len(wanted[name])] == wanted[name], (kind, name, names)
            further = parameters[len(wanted[name]) :]
            allowed = ["prepared"] if name == "work" and "prepare" in offered else []
            assert [p.name for p in further if p.kind != p.KEYWORD_ONLY] == allowed, (kind, name)
            assert all(p.default is not p.empty for p in further), (kind, name)


def test_the_flow_asks_steps_for_documented_functions_only():
    asked = set()
    for path in sorted((SRC / "flow").rglob("*.py")):
        for node in ast.walk(tree_of(path)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("getattr", "hasattr")
                and isinstance(node.args[1], ast.Constant)
            ):
                asked.add(node.args[1].value)
    assert asked - {"SPEC", "pthread_sigmask"} <= set(FUNCTIONS), asked


def test_what_steps_read_is_written_by_a_step_or_provided():
    from cellwise.domain.nouns import PROVIDED

    written = {noun.name for kind in own_kinds() for noun in spec_of(kind).writes}
    provided = {noun.name for noun in PROVIDED}
    for kind in own_kinds():
        spec = spec_of(kind)
        for read in (*spec.reads, *spec.finish_reads):
            assert read.noun.root in written | provided, (kind, read.noun.name)


def test_an_option_that_came_later_is_empty_where_nobody_sets_it():
    """Any other default would stand in the keys of runs that were made before it."""
    # Reading again looks at headers only and leaves the same table.
    for kind in set(own_kinds()) - {"read"}:
        spec = spec_of(kind)
        fields = spec.options.model_fields
        for name in spec.late:
            known = next((f for n, f in fields.items() if name in (n, f.alias)), None)
            assert known is None or not known.get_default(call_default_factory=True), (kind, name)

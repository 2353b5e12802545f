"""Pages of the site that are made from the code, each time that the site is built.

The reference of commands, recipes and contracts is not written by hand, so it cannot say
something else than the program. Links from pages to files of the repository become plain text: the
site holds no sources.
"""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, get_args

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?:src|tests|benchmarks|containers)/[^)]*\)")
_ELSEWHERE = re.compile(r'src="https://[^"]*/iframe-worker/shim"')
_VENDORED = ROOT / "website/vendored/iframe-worker-1.0.4.js"
SHIM = "assets/iframe-worker.js"
_HEAD = re.compile(r"# (Cost|Expect|Try|Source): *(.*)")
EXIT_CODES = """
| code | meaning |
| --- | --- |
| 0 | done |
| 1 | a bug |
| 2 | a wrong word or setting |
| 3 | done, and inputs were set aside |
| 4 | refused before any work |
| 5 | interrupted, the same command goes on |
"""


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made from code."""
    pages = {
        "reference/commands.md": commands(),
        "reference/recipes.md": recipes(),
        "reference/python.md": python(),
        "reference/contracts.md": contracts(),
        "project/changes.md": changes(),
        "project/contributing.md": contributing(),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    files.append(File.generated(config, SHIM, abs_src_path=str(_VENDORED)))
    return files


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Load what the search needs in opened files from the site itself, not from another host."""
    return _ELSEWHERE.sub(f'src="{"../" * page.url.count("/")}{SHIM}"', output)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Take links out of the site away, and columns of tests, which the site does not hold."""
    return _without_tests(_OUTSIDE.sub(r"\1", markdown))


def _without_tests(markdown: str) -> str:
    """Tables whose last column is `shown by`, without that column."""
    lines, inside = [], False
    for line in markdown.split("\n"):
        inside = line.startswith("|") and (inside or line.endswith("| shown by |"))
        lines.append(f"{line[:-1].rpartition('|')[0]}|" if inside else line)
    return "\n".join(lines)


def on_post_template(output_content: str, template_name: str, **_: Any) -> str:
    """The same for pages that are none of ours, such as that of an address that is not there."""
    del template_name
    return _ELSEWHERE.sub(f'src="{SHIM}"', output_content)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def commands() -> str:
    """Every command with its arguments, options and defaults."""
    import typer.main

    from cellwise.app.cli import app

    found: Any = typer.main.get_command(app)
    parts = ["# Commands\n", "`cellwise COMMAND --help` says the same.\n", EXIT_CODES]
    for name, command in found.commands.items():
        parts.append(f"\n## cellwise {name}\n\n{_cell(command.help or '')}\n")
        rows = [_parameter(one) for one in command.params if not getattr(one, "hidden", False)]
        if rows:
            parts += ["\n| word | takes | meaning |\n| --- | --- | --- |\n", *rows]
    return "".join(parts)


def _parameter(one: Any) -> str:
    if one.param_type_name == "option":
        word = ", ".join(f"`{name}`" for name in [*one.opts, *one.secondary_opts])
    else:
        word = f"`{one.name.upper()}`"
    takes = "" if getattr(one, "is_flag", False) else _takes(one.type_descriptor.annotation)
    text = _cell(getattr(one, "help", None) or "")
    default = one.default
    if default not in (None, False, "", ()) and not callable(default):
        text += f" Default: `{default}`."
    if one.required:
        text += " Required."
    return f"| {word} | {takes} | {text.strip()} |\n"


def _takes(annotation: Any) -> str:
    """What a word takes: `text`, `path`, `number`; or the words that it may be."""
    words = {str: "text", Path: "path", int: "whole number", float: "number", bool: ""}
    kinds = [*get_args(annotation), annotation]
    return next((words[kind] for kind in kinds if kind in words), "text")


def recipes() -> str:
    """Every recipe that comes along: what for, cost, score, source, and its steps."""
    parts = ["# Recipes\n\n`cellwise recipes` lists them, and `cellwise run FOLDER --recipe NAME` "
             "takes one; a copy of the file with other steps is a recipe too.\n"]  # fmt: skip
    for path in sorted((ROOT / "src/cellwise/recipes").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        head = list(_head(text))
        body = text[text.index("format:") :]
        parts.append(f"\n## {path.stem}\n\n{head[0]}\n\n")
        parts += [f"* {line}\n" for line in head[1:]]
        parts.append(f"\n```yaml\n{body}```\n")
    return "".join(parts)


def _head(text: str) -> Iterator[str]:
    """The lines above `format`, those that go on joined to the one before."""
    found: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        match = _HEAD.match(line)
        if match:
            found.append(f"**{match[1]}** {match[2]}")
        elif found and (not found[-1].endswith(".") or len(found) > 1):
            found[-1] += " " + line.lstrip("# ")
        else:
            found.append(line.lstrip("# "))
    first = [line for line in found if not line.startswith("**")]
    yield " ".join(first)
    yield from (line for line in found if line.startswith("**"))


def python() -> str:
    """The functions of the package for people."""
    import cellwise

    names = sorted(name for name in cellwise.__all__ if not name.startswith("_"))
    entries = "".join(f"\n::: cellwise.app.api.{name}\n" for name in names)
    return f"# Python\n\n```python\nimport cellwise\n```\n{entries}"


def contracts() -> str:
    """What each kind of part has to be, and the functions that test one."""
    package = import_module("cellwise.contracts")
    how = "[bring your own part](../how-to/bring-your-own-part.md)"
    words = "What a part of each kind is given and has to give"
    parts = [f"# Contracts of parts\n\n{words}; {how} leads through one.\n"]
    for module in sorted(one.name for one in iter_modules(package.__path__)):
        parts.append(f"\n::: cellwise.contracts.{module}\n")
    parts.append("\n## Tests of parts\n\nFor the tests of your own part:\n")
    testing = import_module("cellwise.testing")
    for name in sorted(getattr(testing, "__all__", ())):
        if inspect.isroutine(getattr(testing, name)) or inspect.isclass(getattr(testing, name)):
            parts.append(f"\n::: cellwise.testing.{name}\n")
    return "".join(parts)


def changes() -> str:
    """What is new, from one file for each change."""
    kinds = {"feature": "New", "fix": "Fixed", "speed": "Faster", "docs": "Documents"}
    parts = ["# Changes\n\n[What may change](../reference/versions.md) between releases. New:\n"]
    for kind, title in kinds.items():
        found = sorted((ROOT / "changes").glob(f"*.{kind}.md"))
        texts = [" ".join(path.read_text(encoding="utf-8").split()) for path in found]
        texts = [text.replace("](../docs/", "](../") for text in texts]
        parts.append(f"\n## {title}\n\n" + "".join(f"* {text}\n" for text in texts))
    return "".join(parts)


def contributing() -> str:
    """How to work on it, from the file of the repository."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    text = text.replace("](docs/", "](../")
    return re.sub(r"\[([^\]]+)\]\((?!\.\./|https?:|#)[^)]*\)", r"\1", text)

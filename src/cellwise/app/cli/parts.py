"""`cellwise parts`: everything that a recipe can name, with its options."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cellwise.registry import Option

_STEP = "step"
SHELVES = {
    "layout": "cellwise.stages.read.layouts",
    "splitter": "cellwise.stages.split",
    "segmenter": "cellwise.stages.segment",
    "pixel net": "cellwise.parts.pixel_nets",
    "embedder": "cellwise.stages.embed",
    "net": "cellwise.parts.nets",
    "head": "cellwise.parts.heads",
    "task": "cellwise.parts.tasks",
    "loss": "cellwise.parts.losses",
    "augmentation": "cellwise.parts.augment",
    "optimiser": "cellwise.parts.optimisers",
    "schedule": "cellwise.parts.schedules",
    "learner": "cellwise.parts.learners",
    "scorer": "cellwise.stages.score",
    "labeller": "cellwise.stages.label",
    "calibration": "cellwise.stages.decide",
    "adjustment": "cellwise.stages.decide.adjust",
    "export": "cellwise.stages.export",
}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("parts", help="Everything that a recipe can name, with its options.")(parts)


def parts(
    kind: Annotated[str, typer.Argument(help="Only this kind, such as loss.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="As a page.")] = False,
) -> None:
    """Everything that a recipe can name, with its options."""
    from cellwise.errors import UnknownName
    from cellwise.registry import did_you_mean

    known = [_STEP, *SHELVES]
    if kind and kind not in known:
        raise UnknownName(
            f"No kind of part is called {kind!r}.{did_you_mean(kind, known)} There is: "
            f"{', '.join(known)}."
        )
    if markdown:
        print("# Parts that a recipe can name\n\nMade by `make docs` from the parts themselves.")
    for shelf in known:
        if kind and shelf != kind:
            continue
        print(f"\n## {shelf}\n" if markdown else f"\n{shelf}")
        for title, summary, doc in _steps() if shelf == _STEP else _parts(shelf):
            print(f"### `{title}`\n\n{doc}\n" if markdown else f"  {title}\n      {summary}")


def _steps() -> Iterator[tuple[str, str, str]]:
    """Title, first sentence and page of every kind of step."""
    from cellwise.flow.recipe.kinds import kinds, option_pages, spec_of

    for kind in kinds():
        spec = spec_of(kind)
        pages = option_pages(spec)
        summary = " ".join((spec.options.__doc__ or "").split("\n\n")[0].split())
        lines = [f"- `{page.option.name}`: {page.doc}" for page in pages]
        doc = "\n\n".join(text for text in (summary, "\n".join(lines)) if text)
        yield _title(kind, (page.option for page in pages)), summary, doc


def _parts(shelf: str) -> Iterator[tuple[str, str, str]]:
    """Title, first sentence and page of every part of one kind."""
    from cellwise.registry import Registry

    registry = Registry(shelf, SHELVES[shelf])
    for name in registry.part_names():
        page = registry.page(name)
        yield _title(name, page.options), page.summary, page.doc


def _title(name: str, options: "Iterable[Option]") -> str:
    shown = (o.name if o.required else f"{o.name}={o.default}" for o in options)
    return f"{name}({', '.join(shown)})"

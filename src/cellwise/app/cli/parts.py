"""`cellwise parts`: everything that a recipe can name, with its options."""

from typing import Annotated

import typer

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
    from cellwise.registry import Registry, did_you_mean

    if kind and kind not in SHELVES:
        raise UnknownName(
            f"No kind of part is called {kind!r}.{did_you_mean(kind, list(SHELVES))} There is: "
            f"{', '.join(SHELVES)}."
        )
    if markdown:
        print("# Parts that a recipe can name\n\nMade by `make docs` from the parts themselves.")
    for shelf, package in SHELVES.items():
        if kind and shelf != kind:
            continue
        registry = Registry(shelf, package)
        print(f"\n## {shelf}\n" if markdown else f"\n{shelf}")
        for name in registry.part_names():
            page = registry.page(name)
            options = ", ".join(
                option.name if option.required else f"{option.name}={option.default}"
                for option in page.options
            )
            if markdown:
                print(f"### `{name}({options})`\n\n{page.doc}\n")
            else:
                print(f"  {name}({options})\n      {page.summary}")

"""`cellwise recipes`: which there are, and every setting of one with its origin."""

import re
import sys
from typing import Annotated, Any

import typer

from cellwise.app.cli.terminal.options import Settings

_GPU = "Needs a GPU."


def register(app: typer.Typer) -> None:
    """Add the verb."""
    group = typer.Typer(help="The recipes that come with cellwise.", no_args_is_help=False)
    group.callback(invoke_without_command=True)(_listing)
    group.command("show", help="Every setting of a recipe with its origin.")(show)
    app.add_typer(group, name="recipes")


def _listing(context: typer.Context) -> None:
    if context.invoked_subcommand is not None:
        return
    from cellwise.flow.recipe.load import load_recipe, recipe_names

    names = recipe_names()
    width = max(map(len, names))
    for name in names:
        print(f"{name:<{width}}  {_first_sentence(load_recipe(name).comment)}")


def _first_sentence(comment: str) -> str:
    """The first sentence of a recipe's comment, over lines; and whether it needs a GPU."""
    said = " ".join(comment.split()).partition(" Cost: ")[0]
    first = re.split(r"(?<=\.) ", said, maxsplit=1)[0]
    return f"{first} {_GPU}" if _GPU in said and _GPU not in first else first


def show(
    name: Annotated[str, typer.Argument(help="Recipe name or YAML file.")],
    settings: Settings = None,
) -> None:
    """Every setting of a recipe with its origin."""
    from cellwise.flow.recipe.load import load_recipe
    from cellwise.flow.recipe.resolve import parse_setting, resolve
    from cellwise.flow.recipe.words import spoken

    recipe = resolve(load_recipe(name), dict(parse_setting(text) for text in settings or ()))
    for line in recipe.notices:
        print(line, file=sys.stderr)
    print(recipe.comment)
    for step in recipe.steps:
        print(f"\n{step.kind}" + (f" (as {step.name})" if step.name != step.kind else ""))
        for option, value in sorted(step.options.items()):
            ((word, said),) = spoken(step.spec, {option: value}).items()
            print(f"  {word:<16} {_short(said):<44} {step.origins[option]}")


def _short(value: Any) -> str:
    text = "-" if value in ("", None) else str(value)
    return text if len(text) <= 44 else text[:43] + "…"

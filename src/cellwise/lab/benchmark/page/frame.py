"""The frames of the benchmark's pages; their look is that of a run's report."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template


def frame(name: str) -> Template:
    """The template of this name: of the benchmark, else of the report."""
    environment = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("cellwise.lab.benchmark.page", "template"),
                PackageLoader("cellwise.stages.report", "template"),
            ]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)

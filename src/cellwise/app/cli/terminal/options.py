"""Options that several verbs share, declared once."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cellwise.errors import UsageError

# The end of the help of verbs that work on folders.
EXIT_CODES = (
    "Exit codes: 0 done; 2 a wrong word or setting; 3 done, and inputs were set aside; 4 refused "
    "before any work; 5 interrupted, the same command continues; 1 a bug."
)


def _on_this_machine(option: str) -> Callable[[Path | None], Path | None]:
    """What refuses an address where a place on a file system is meant."""

    def kept(path: Path | None) -> Path | None:
        from cellwise.store.objects.address import refuse_address

        refuse_address(path, option)
        return path

    return kept


# Texts, as a path would drop one of the slashes of an address.
Folder = Annotated[
    str, typer.Argument(help="Folder of images, zip file, or address (s3://..., gs://...).")
]
RunPath = Annotated[
    Path,
    typer.Argument(
        help="A run folder, as made by `cellwise run`.", callback=_on_this_machine("RUN")
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out", help="Run folder to make or to resume.", callback=_on_this_machine("--out")
    ),
]
NextOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Run folder that the command at the end names.",
        callback=_on_this_machine("--out"),
    ),
]
Labels = Annotated[
    str | None,
    typer.Option("--labels", help="CSV with one row per field or well; a path or an address."),
]
Cache = Annotated[
    str,
    typer.Option(
        "--cache",
        help="Folder for copies of images that come from an address or a zip file; else that of "
        "CELLWISE_CACHE, else the user's own.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="step.option=value, such as train.epochs=3; may be repeated."),
]
Layout = Annotated[
    str, typer.Option("--layout", help="How the folder is laid out; else recognised.")
]
Pattern = Annotated[
    str, typer.Option("--pattern", help="File names such as {plate}_{well}_s{site}_w{channel}.")
]
Workers = Annotated[int, typer.Option("--workers", help="Processes; 0 = one per core.", min=0)]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, or mps (a Mac).")]
Devices = Annotated[int, typer.Option("--devices", help="Devices that share a training.", min=1)]
Nodes = Annotated[
    int,
    typer.Option("--nodes", help="Hosts that share trainings; the same command on each.", min=1),
]
Node = Annotated[
    int | None,
    typer.Option("--node", help="Number of this host, from 0; else as Slurm numbers it."),
]
Engine = Annotated[
    str, typer.Option("--engine", help="What works on per-site steps: local or dask.")
]
Scheduler = Annotated[
    str, typer.Option("--scheduler", help="With --engine dask: address of a scheduler that runs.")
]
Cluster = Annotated[
    Path | None,
    typer.Option("--cluster", help="With --engine dask: YAML file of a batch system's jobs."),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure-cluster",
        help="Let a scheduler, or a training that --nodes share, listen on the network without "
        "certificates: everyone who reaches it can run any program in your name.",
    ),
]
Masks = Annotated[
    str | None,
    typer.Option("--masks", help="Folder of label images to use, zip file, or address."),
]
Seed = Annotated[int, typer.Option("--seed", help="Root of all randomness.")]
RunSeed = Annotated[
    int | None, typer.Option("--seed", help="Root of all randomness; 0, or that of the run before.")
]
RecipeName = Annotated[
    str, typer.Option("--recipe", help="Name or YAML file; else the one that fits the folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data instead of a screen.")]
Shard = Annotated[
    str, typer.Option("--shard", help="I/N: the sites of one shard only, such as 3/8.")
]
Merge = Annotated[
    bool, typer.Option("--merge", help="Merge shards, and continue to what shards can do next.")
]
Finish = Annotated[bool, typer.Option("--finish", help="Merge shards, and do all the rest.")]
PrintSlurm = Annotated[
    bool, typer.Option("--print-slurm", help="Print a script for Slurm, and do nothing else.")
]
Shards = Annotated[int, typer.Option("--shards", help="With --print-slurm: how many.", min=1)]
Slurm = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm",
        help="With --print-slurm: KEY=VALUE for sbatch, such as partition=long; rest:KEY=VALUE or "
        "shards:KEY=VALUE for these jobs only; may be repeated.",
    ),
]


def engine_spec(
    engine: str, scheduler: str, cluster: Path | None, *, insecure: bool
) -> str | dict[str, Any]:
    """The engine with what was said of it.

    Raises:
        UsageError: Something was said that the engine has no use for.
    """
    said = {
        "scheduler": scheduler,
        "cluster": str(cluster) if cluster is not None else "",
        "insecure": insecure,
    }
    options = {name: value for name, value in said.items() if value}
    if not options:
        return engine
    if engine == "local":
        raise UsageError(
            "--scheduler, --cluster and --insecure-cluster go with --engine dask, the last one "
            "with --nodes too."
        )
    if options.keys() == {"insecure"}:
        raise UsageError(
            "--insecure-cluster goes with --scheduler or --cluster: workers of this machine alone "
            "are not reached from outside."
        )
    return {"name": engine, **options}

"""`cellwise run`: all steps of a recipe on a folder; the same command resumes.

With `--shard`, `--merge`, `--finish` and `--print-slurm` the jobs of a cluster share the work.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cellwise.app.cli.terminal.ending import print_ending, print_shard_ending, print_waiting
from cellwise.app.cli.terminal.options import (
    EXIT_CODES,
    Cache,
    Cluster,
    Device,
    Devices,
    Engine,
    Finish,
    Folder,
    Insecure,
    Labels,
    Layout,
    Masks,
    Merge,
    Node,
    Nodes,
    Out,
    Pattern,
    PrintSlurm,
    RecipeName,
    RunSeed,
    Scheduler,
    Settings,
    Shard,
    Shards,
    Slurm,
    Workers,
    engine_spec,
)
from cellwise.errors import UsageError

if TYPE_CHECKING:
    from cellwise.flow.pipeline.state import Request


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "run", help="All steps of a recipe; the same command again resumes.", epilog=EXIT_CODES
    )(run)


def run(
    folder: Folder,
    out: Out,
    labels: Labels = None,
    recipe: RecipeName = "",
    settings: Settings = None,
    masks: Masks = None,
    cache: Cache = "",
    layout: Layout = "",
    pattern: Pattern = "",
    workers: Workers = 0,
    device: Device = "auto",
    devices: Devices = 1,
    nodes: Nodes = 1,
    node: Node = None,
    engine: Engine = "local",
    scheduler: Scheduler = "",
    cluster: Cluster = None,
    insecure: Insecure = False,
    seed: RunSeed = None,
    shard: Shard = "",
    merge: Merge = False,
    finish: Finish = False,
    print_slurm: PrintSlurm = False,
    shards: Shards = 8,
    slurm: Slurm = None,
) -> None:
    """All steps of a recipe on a folder."""
    from cellwise.app.cli.terminal.inputs import inputs_of_words
    from cellwise.app.cli.terminal.screen import Progress
    from cellwise.flow.request import make_request

    if sum([bool(shard), merge, finish, print_slurm]) > 1:
        raise UsageError("Give one of --shard, --merge, --finish and --print-slurm.")
    if slurm and not print_slurm:
        raise UsageError("--slurm goes with --print-slurm.")
    if (shard or print_slurm) and engine != "local":
        raise UsageError("Shards share out work themselves: leave --engine out.")
    if nodes > 1 and (shard or merge or print_slurm):
        raise UsageError("--nodes goes with a whole run or with --finish, not with shards.")
    if _helps(out, nodes, node):
        return
    # Without Dask the word is said of hosts that share a training.
    meant = insecure and (nodes == 1 or engine != "local")
    spec = engine_spec(engine, scheduler, cluster, insecure=meant)
    with inputs_of_words(folder, labels=labels, masks=masks, cache=cache) as given:

        def ask() -> "Request":
            with Progress("look", unit="") as progress:
                return make_request(
                    given.folder,
                    out,
                    labels=given.labels,
                    recipe=recipe or None,
                    settings=settings or (),
                    masks=given.masks,
                    layout=layout,
                    pattern=pattern,
                    seed=seed,
                    device=device,
                    workers=workers,
                    devices=devices,
                    nodes=nodes,
                    network=insecure,
                    engine=spec,
                    command=command_words(),
                    report=progress,
                )

        if print_slurm:
            # Copies are named by their paths: jobs then need neither network nor credentials.
            places = {
                "": given.folder, "--out": out, "--labels": given.labels, "--masks": given.masks,
            }  # fmt: skip
            texts = {
                "--recipe": recipe,
                "--layout": layout,
                "--pattern": pattern,
                "--device": device if device != "auto" else "",
                "--devices": str(devices) if devices != 1 else "",
                "--seed": "" if seed is None else str(seed),
            }
            words = _words(places, texts, settings or [])
            _print_script(ask(), words, shards=shards, slurm=slurm or [], workers=workers)
            return
        code = _shard(ask, out, shard) if shard else _run(ask(), merge=merge, finish=finish)
    raise typer.Exit(code)


def _helps(out: Path, nodes: int, node: int | None) -> bool:
    """Train for host 0 if this is another one; whether it was."""
    from cellwise.app.cli.terminal.screen import make_listener
    from cellwise.flow.devices import check_devices
    from cellwise.flow.hosts import node_of, serve

    if node is not None and nodes == 1:
        raise UsageError("--node goes with --nodes.")
    number = node_of(node, nodes)
    if number:
        serve(
            out,
            number,
            fits=lambda job: check_devices(job.devices, job.device),
            say=make_listener().message,
        )
    return bool(number)


def _run(request: "Request", *, merge: bool, finish: bool) -> int:
    from cellwise.app.cli.terminal.screen import make_listener
    from cellwise.flow.pipeline.run import run_pipeline
    from cellwise.flow.pipeline.shards.courses import Finish, Merge, Whole

    listener = make_listener()
    for line in request.recipe.notices:
        listener.message(line)
    course = Merge() if merge else Finish() if finish else Whole()
    outcome = run_pipeline(request, listener, course)
    if outcome.waiting:
        print_waiting(outcome)
    else:
        print_ending(outcome)
    return outcome.exit_code


def _shard(ask: Callable[[], "Request"], out: Path, text: str) -> int:
    from cellwise.app.cli.terminal.screen import make_listener
    from cellwise.flow.pipeline.shards.part import Part
    from cellwise.flow.pipeline.shards.work import work_on_shard

    outcome = work_on_shard(ask, out, Part.parse(text), make_listener())
    print_shard_ending(outcome)
    return outcome.exit_code


def _print_script(
    request: "Request", words: list[str], *, shards: int, slurm: list[str], workers: int
) -> None:
    """Refuse what a run would refuse, then print."""
    from cellwise.flow.pipeline.checks import check_request
    from cellwise.flow.pipeline.shards.stretch import stretches
    from cellwise.flow.slurm import Directives, slurm_script

    check_request(request)
    titles = [[step.title for step in found] for found in stretches(request.recipe.steps)]
    script = slurm_script(
        [sys.executable, "-P", "-m", "cellwise", *words],
        out=Path.cwd() / request.out,
        stretches=titles,
        shards=shards,
        directives=Directives.parse(slurm),
        workers=workers,
    )
    print(script, end="")


def _words(places: dict[str, Path | None], texts: dict[str, str], settings: list[str]) -> list[str]:
    """The words of this call without those about the script, with absolute paths."""
    words = ["run"]
    for name, path in places.items():
        words += [] if path is None else [*([name] if name else []), str(Path.cwd() / path)]
    for name, text in texts.items():
        words += [name, text] if text else []
    return [*words, *(word for text in settings for word in ("--set", text))]


def command_words() -> list[str]:
    """The command as the user typed it."""
    name = Path(sys.argv[0]).name
    return [*(["python", "-m", "cellwise"] if name == "__main__.py" else [name]), *sys.argv[1:]]

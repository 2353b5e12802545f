"""A script that works on a run with the jobs of Slurm: arrays of shards, and what lies between.

The script submits itself. Jobs after an array start however its shards ended: they know which
shards have not done their part, and say so in their logs. What follows such a job starts only where
that one ended well.
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cellwise import __version__
from cellwise.errors import UsageError
from cellwise.flow.pipeline.shards.taken_in import SCRIPT
from cellwise.store.processor import POOLS

_DEFAULTS = {"cpus-per-task": "4", "mem-per-cpu": "4G", "time": "12:00:00", "requeue": ""}
# Who says one of these says what another default says.
_INSTEAD = {"mem": "mem-per-cpu", "mem-per-gpu": "mem-per-cpu", "no-requeue": "requeue"}
_OWN = {
    "array": "say how many with --shards, and which when the script is started",
    "dependency": "jobs follow each other as the recipe needs it",
    "output": "logs lie in the run folder",
    "chdir": "jobs work where the script was printed",
    "parsable": "the script reads what sbatch answers",
    "wrap": "the script is what runs",
    "kill-on-invalid-dep": "jobs follow each other as the recipe needs it",
}
_KEY = re.compile(r"(?:(shards|rest):)?([a-z][a-z0-9-]*)(?:=(.*))?")
_PLAIN = re.compile(r"[\w./:,=+@%^~-]+")


@dataclass(frozen=True, slots=True)
class Directives:
    """What sbatch is told beside what the script says itself, by option without dashes.

    Args:
        every: For all jobs.
        shards: For arrays of shards.
        rest: For the other jobs.
    """

    every: dict[str, str] = field(default_factory=dict)
    shards: dict[str, str] = field(default_factory=dict)
    rest: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "Directives":
        """Read `KEY=VALUE`, `KEY`, `shards:KEY=VALUE` and `rest:KEY=VALUE`.

        Raises:
            UsageError: Something else, or an option that the script itself needs.
        """
        found = cls()
        for text in texts:
            match = _KEY.fullmatch(text)
            if match is None:
                raise UsageError(
                    f"--slurm {text!r}: give an option of sbatch without dashes, such as "
                    "partition=long, or rest:gres=gpu:1 for the jobs that are no shards."
                )
            whose, key, value = match.groups()
            if key in _OWN:
                raise UsageError(f"--slurm {text!r}: {_OWN[key]}.")
            {"shards": found.shards, "rest": found.rest}.get(whose, found.every)[key] = value or ""
        return found


def slurm_script(
    words: Sequence[str],
    *,
    out: Path,
    stretches: Sequence[Sequence[str]],
    shards: int,
    directives: Directives,
    workers: int,
    surroundings: Mapping[str, str] = os.environ,
) -> str:
    """The text of the script, for bash.

    Args:
        words: The command that does the whole run on one machine, without a number of workers.
        out: The run folder, absolute.
        stretches: The titles of the steps of each stretch that shards can do.
        shards: How many.
        directives: What sbatch is told.
        workers: Processes of a job; 0 for as many as it has processors.
        surroundings: Numbers of threads in these variables are the jobs' too, and no others.

    Raises:
        UsageError: The recipe has no step that works site by site.
    """
    if not stretches:
        raise UsageError("This recipe has no step that works site by site: shards have no part.")
    name = re.sub(r"[^\w.-]", "_", out.name.removesuffix(".run")) or "cellwise"
    gone = {_INSTEAD.get(key) for key in directives.every}
    defaults = {key: value for key, value in _DEFAULTS.items() if key not in gone}
    lines = {"job-name": name, **defaults, **directives.every}
    parts = [
        "#!/bin/bash",
        *(f"#SBATCH {_directive(key, value)}" for key, value in lines.items()),
        _HEAD.format(version=__version__),
        f"out={shlex.quote(str(out))}",
        f"logs={shlex.quote(str(out).replace('%', '%%'))}/slurm",
        f"shards={shards}",
        "",
        "work() {",
        f"  cd -- {shlex.quote(str(Path.cwd()))}",
        *(f"  {line}" for line in _threads(surroundings)),
        "  code=0",
        f"  {_command(words, workers)} \\",
        '    "$@" || code=$?',
        _TAIL.format(script=SCRIPT),
        *_jobs(stretches, directives),
    ]
    return "\n".join(parts) + "\n"


_HEAD = """
# Jobs of cellwise {version} for one run. Save this text as a file and give it to bash:
#   bash FILE         all shards, then what follows, each job after the one before
#   bash FILE 3,7     these shards again, then what follows; 1-8%4 works on four at a time
# The lines above hold for all jobs: change them as your cluster needs it.
set -eu"""

_TAIL = """  # 3: done, and inputs were set aside.
  if [ "$code" -eq 3 ]; then code=0; fi
  exit "$code"
}}

case "${{1:-}}" in
  --shard) work --shard "$SLURM_ARRAY_TASK_ID/$shards" ;;
  --merge | --finish) work "$1" ;;
esac

script=$(readlink -f -- "${{BASH_SOURCE[0]:-}}" || true)
if [ ! -f "$script" ]; then
  echo "Save this text as a file, then: bash FILE" >&2
  exit 2
fi
if ! command -v sbatch > /dev/null; then
  echo "There is no sbatch here: give this file to bash on a machine that submits to Slurm." >&2
  exit 2
fi
export {script}="$script"
mkdir -p -- "$out/slurm"
submit() {{
  local answer
  answer=$(sbatch --parsable "$@") || return 1
  printf '%s\\n' "${{answer%%;*}}"
}}"""


def _jobs(stretches: Sequence[Sequence[str]], directives: Directives) -> list[str]:
    """One line for each job, and one that says its number."""
    lines = []
    shards = [shlex.quote(_directive(*pair, bare=True)) for pair in directives.shards.items()]
    rest = [shlex.quote(_directive(*pair, bare=True)) for pair in directives.rest.items()]
    for place, titles in enumerate(stretches):
        said, last = ", ".join(titles), place + 1 == len(stretches)
        which = "${1:-1-$shards}" if place == 0 else "1-$shards"
        after = [] if place == 0 else ['--dependency="afterok:$rest"', "--kill-on-invalid-dep=yes"]
        words = [f'--array="{which}"', *after, '--output="$logs/%x-%A_%a.log"', *shards]
        lines += ["", f"# {said}", _submitted("array", [*words, '"$script"', "--shard"])]
        lines.append(f'echo "{said} in $shards shards: job $array"')
        needs = "afterany:$array" if place == 0 else "afterok:$rest,afterany:$array"
        words = [f'--dependency="{needs}"', *after[1:], '--output="$logs/%x-%j.log"', *rest]
        lines.append(_submitted("rest", [*words, '"$script"', "--finish" if last else "--merge"]))
        lines.append(f'echo "what follows{"" if last else " up to the next shards"}: job $rest"')
    return lines


def _submitted(name: str, words: Sequence[str]) -> str:
    return f"{name}=$(submit {' '.join(words)})"


def _command(words: Sequence[str], workers: int) -> str:
    count = str(workers) if workers else '"${SLURM_CPUS_PER_TASK:-1}"'
    return f"{shlex.join(words)} --workers {count}"


def _threads(surroundings: Mapping[str, str]) -> list[str]:
    """Sums depend on the number of threads, so jobs have that of the shell they come from."""
    said = [f"{name}={shlex.quote(surroundings[name])}" for name in POOLS if name in surroundings]
    unsaid = [name for name in POOLS if name not in surroundings]
    lines = [f"export {' '.join(said)}"] if said else []
    return [*lines, *([f"unset {' '.join(unsaid)}"] if unsaid else [])]


def _directive(key: str, value: str, *, bare: bool = False) -> str:
    """An option of sbatch; quoted as it reads the lines of a script, unless `bare`."""
    if not value:
        return f"--{key}"
    if bare or _PLAIN.fullmatch(value):
        return f"--{key}={value}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'--{key}="{escaped}"'

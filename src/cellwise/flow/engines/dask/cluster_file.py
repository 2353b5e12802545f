"""The file of `--cluster`: which batch system starts the workers, and what a job asks for.

It is checked as a whole before any work. Workers take one thread each, and one that has a GPU takes
all of it.
"""

import os
import re
import shutil
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cellwise.errors import PreflightError, UsageError
from cellwise.registry import did_you_mean

# The command that each batch system takes jobs by.
COMMANDS = {"slurm": "sbatch", "pbs": "qsub", "sge": "qsub", "lsf": "bsub"}
_MEMORY = re.compile(r"\d+(\.\d+)?\s*([kMGT]i?)?B", re.IGNORECASE)
_WALLTIME = re.compile(r"(\d+-)?\d+(:\d\d){1,2}|\d+")


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Tls(_Strict):
    """Files of certificates that are there already; every host has to see them."""

    ca: Path
    """Certificates of the authority that both sides believe."""

    certificate: Path
    """One's own."""

    key: Path
    """Its key."""

    @field_validator("*")
    @classmethod
    def _is_there(cls, path: Path) -> Path:
        if not path.is_file():
            raise ValueError(f"there is no file {path}")
        return path.absolute()


class ClusterFile(_Strict):
    """What the file says."""

    kind: Literal["slurm", "pbs", "sge", "lsf"]
    """The batch system."""

    cores: int = Field(ge=1, strict=True)
    """Cores that a job asks for."""

    memory: str
    """Memory that a job asks for, such as `32GB`."""

    workers: int = Field(default=0, ge=0, strict=True)
    """Workers of a job; 0 for one on each core, or one where the job has a GPU."""

    walltime: str | None = None
    """How long a job may last, as the batch system writes it, such as `04:00:00`."""

    queue: str | None = None
    """Queue or partition."""

    account: str | None = None
    """What the time is booked on: the account, or the project of SGE and LSF."""

    directives: tuple[str, ...] = ()
    """Further lines of a job's head without their mark, such as `--gres=gpu:1`."""

    prologue: tuple[str, ...] = ()
    """Shell lines that come before a worker starts, such as `module load cuda`."""

    python: Path | None = None
    """The interpreter of the workers; that of the coordinator where not said."""

    minimum: int = Field(default=0, ge=0, strict=True)
    """Jobs that are kept."""

    maximum: int = Field(ge=1, strict=True)
    """Jobs at the same time at most."""

    gpu: bool = Field(default=False, strict=True)
    """Whether a job has a GPU; `directives` then ask for it."""

    host: str | None = None
    """Name or address of this machine by which workers reach it."""

    interface: str | None = None
    """Network interface of scheduler and workers, such as `ib0`."""

    temporary: str | None = None
    """Folder of each node for temporary files."""

    log_folder: Path | None = None
    """Where what workers print goes; the folder `work/workers` of the run where not said."""

    wait: float = Field(default=3600.0, gt=0)
    """Seconds to wait for the queue to start a first worker, or another one where all are gone."""

    tls: Tls | None = None
    """Certificates; made for this run where not said."""

    @field_validator("memory")
    @classmethod
    def _check_memory(cls, text: str) -> str:
        if not _MEMORY.fullmatch(text.strip()):
            raise ValueError(f"{text!r} is no amount of memory such as '32GB'")
        return text.strip()

    @field_validator("walltime", mode="before")
    @classmethod
    def _check_walltime(cls, value: Any) -> Any:
        # YAML takes 14:00:00 without quotation marks for a number of seconds.
        if value is None or (isinstance(value, str) and _WALLTIME.fullmatch(value)):
            return value
        raise ValueError(f"{value!r} is no time; write it with quotation marks, as '04:00:00'")

    @field_validator("directives", "prologue")
    @classmethod
    def _one_line(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := next((line for line in lines if "\n" in line or not line.strip()), None):
            raise ValueError(f"{wrong!r} is not one line")
        return lines

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is more than maximum {self.maximum}")
        if self.workers > self.cores:
            raise ValueError(f"{self.workers} workers do not fit {self.cores} cores")
        if self.gpu and self.workers > 1:
            raise ValueError("a job with a GPU has one worker; ask for more jobs")
        if self.host and self.interface:
            raise ValueError("host and interface say the same; give one")
        return self

    @property
    def per_job(self) -> int:
        """Workers of a job."""
        return self.workers or (1 if self.gpu else self.cores)

    def check_here(self) -> None:
        """Refuse where this machine cannot hand jobs in.

        Raises:
            PreflightError: The batch system's command is not here.
        """
        command = COMMANDS[self.kind]
        if shutil.which(command) is None:
            raise PreflightError(
                f"There is no command {command!r} here, which {self.kind} takes jobs by. Start "
                "cellwise on a machine that can submit jobs."
            )

    def job_options(self, logs: Path) -> dict[str, Any]:
        """Options of the jobs for `dask_jobqueue`, but for certificates.

        Args:
            logs: Where what workers print goes where the file says nothing of it.
        """
        booked = "account" if self.kind in ("slurm", "pbs") else "project"
        arguments = ["--nthreads", "1", "--dashboard-address", "127.0.0.1:0", "--no-dashboard"]
        options = {
            "cores": self.cores,
            "memory": self.memory,
            "processes": self.per_job,
            "walltime": self.walltime,
            "queue": self.queue,
            booked: self.account,
            "python": None if self.python is None else str(self.python),
            "interface": self.interface,
            "local_directory": self.temporary,
            "log_directory": str((self.log_folder or logs).absolute()),
            "job_extra_directives": list(self.directives),
            # A worker that takes no more batches because it keeps much memory would never end.
            "job_script_prologue": [_NO_PAUSE, *self.prologue],
            "worker_extra_args": arguments + (["--resources", "GPU=1"] if self.gpu else []),
        }
        return {name: value for name, value in options.items() if value is not None}


_NO_PAUSE = "export DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=False"


def read_cluster_file(path: Path) -> ClusterFile:
    """The file, checked.

    Raises:
        UsageError: It cannot be read, or says something that cannot be; names the place.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--cluster {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"--cluster {path} is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"--cluster {path}: a mapping such as 'kind: slurm' is expected.")
    known = list(ClusterFile.model_fields)
    for name in content:
        if name not in known:
            near = did_you_mean(str(name), known)
            raise UsageError(f"--cluster {path} has no setting {str(name)!r}.{near}")
    try:
        return ClusterFile.model_validate(_expanded(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"--cluster {path}{f', {where}' if where else ''}: {said}.") from error


def _expanded(value: Any) -> Any:
    """With `~` and variables of the environment filled in where a text begins with them."""
    if isinstance(value, dict):
        return {name: _expanded(one) for name, one in value.items()}
    if isinstance(value, str) and value[:1] in ("~", "$"):
        return os.path.expanduser(os.path.expandvars(value))  # noqa: PTH111
    return value

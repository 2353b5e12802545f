"""The process that learns: `cellwise run` on the run itself, with the verdicts of its own desk.

The recipe, the folder and the settings are those that the run recorded; nothing of what is started
comes from a browser but whether verdicts on the random draw teach too, and whether probabilities
are fitted to them.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO, Any

from cellwise.app.view.desk.desk import unwritable
from cellwise.errors import PreflightError
from cellwise.flow.pipeline.events import LOG
from cellwise.flow.pipeline.lock import holder_of, is_held
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.sites import find_images

_LINES = 12
# Bytes of the log: some hundred events, more than a run writes between two steps.
_LOOKED_AT = 2**18
_SECONDS_TO_END = 30.0
# What the command ends with: done, done with inputs set aside, stopped.
_DONE, _STOPPED = (0, 3), 5


@dataclass
class _Started:
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    who: str
    stopped: bool = False
    last: list[str] = field(default_factory=list)


class Learning:
    """What learns from the verdicts of one run; one process at a time.

    Args:
        path: The run folder.
        command: How the command is called; this installation's own if not given.
    """

    def __init__(self, path: Path, command: list[str] | None = None) -> None:
        self._run = RunFolder(path.absolute())
        self._command = command or [sys.executable, "-P", "-m", "cellwise"]
        self._lock = Lock()
        self._started: _Started | None = None

    def closed(self) -> str:
        """Why the run cannot learn again; empty where it can, or is about to."""
        run = self._run
        record = read_json(run.record) if run.record.is_file() else {}
        inputs = record.get("inputs") or {}
        if not record:
            return "This folder holds no run.json: what it was made by is not known."
        if inputs.get("fitted"):
            return (
                "This run applies the models of another one. Judge cells of that one to teach it."
            )
        steps = (record.get("recipe") or {}).get("steps") or []
        if not any(step.get("kind") == "label" for step in steps):
            return (
                "The recipe of this run has no step 'label', so that verdicts cannot teach it. "
                "Take one that has, such as features-quick."
            )
        if not self._folder().exists():
            return f"The images of this run are gone from {self._folder()}."
        return unwritable(run)

    def audits(self) -> bool:
        """Whether the recipe of the run says that probabilities are fitted to the random draw."""
        return any(_says(step) for step in self._decides())

    def words(self, *, random_teaches: bool = False, audited: bool | None = None) -> list[str]:
        """The command that does the same, without the name of the program.

        Args:
            random_teaches: Whether verdicts on the random draw teach too.
            audited: Whether probabilities are fitted to them; as the recipe says if None.
        """
        table = self._run.annotations / "annotations.parquet"
        settings = [
            f"label.annotations={table}",
            f"label.hold_out_random={'false' if random_teaches else 'true'}",
        ]
        steps = self._decides()
        asked = [step for step in steps if _says(step)]
        if audited and not asked:
            asked = [step for step in steps if step["name"] == "decide"] or steps[:1]
        for step in asked:
            settings.append(f"{step['name']}.annotations={'' if audited is False else table}")
        words = ["run", str(self._folder()), "--out", str(self._run.path)]
        return [*words, *(word for setting in settings for word in ("--set", setting))]

    def _decides(self) -> list[dict[str, Any]]:
        """The steps of the recorded recipe that make probabilities."""
        record = read_json(self._run.record) if self._run.record.is_file() else {}
        steps = (record.get("recipe") or {}).get("steps") or []
        return [step for step in steps if step.get("kind") == "decide"]

    def start(self, who: str, *, random_teaches: bool, audited: bool | None = None) -> None:
        """Begin to learn.

        Raises:
            PreflightError: It goes on already, another process holds the run, or it cannot learn.
        """
        with self._lock:
            if self.is_running:
                raise PreflightError("The run is learning already.")
            why = self.closed()
            if why:
                raise PreflightError(why)
            if is_held(self._run.path):
                raise PreflightError(
                    f"The run is in use by {holder_of(self._run.path)}. Wait until that is done."
                )
            if self._started is not None:
                self._started.output.close()
            output = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
            words = [*self._command, *self.words(random_teaches=random_teaches, audited=audited)]
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                cwd=self._run.path.parent, start_new_session=True,
                env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
            )  # fmt: skip
            self._started = _Started(process, output, who)

    def stop(self) -> None:
        """Ask the process to stop; what it has done is kept, and the next start goes on."""
        with self._lock:
            if self._started is not None and self.is_running:
                self._started.stopped = True
                self._started.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Stop it and wait for its end: with the server ends what it started."""
        self.stop()
        started = self._started
        if started is None:
            return
        try:
            started.process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            started.process.kill()
            started.process.wait(_SECONDS_TO_END)
        started.last = self._lines(started)
        started.output.close()

    @property
    def is_running(self) -> bool:
        """Whether the process of this server goes on."""
        return self._started is not None and self._started.process.poll() is None

    def state(self) -> dict[str, Any]:
        """How far it is: `idle`, `running`, `elsewhere`, `done`, `stopped` or `failed`."""
        started = self._started
        code = None if started is None else started.process.poll()
        if started is not None and code is None:
            word = "running"
        elif is_held(self._run.path):
            word = "elsewhere"
        elif started is None:
            word = "idle"
        elif code in _DONE:
            word = "done"
        else:
            word = "stopped" if code == _STOPPED or started.stopped else "failed"
        return {
            "state": word,
            "who": started.who if started else "",
            "holder": holder_of(self._run.path) if word == "elsewhere" else "",
            "why": self.closed(),
            "lines": [] if started is None else self._lines(started),
            "progress": self._progress() if word in ("running", "elsewhere") else None,
        }

    def _progress(self) -> dict[str, Any] | None:
        """How many steps are behind, and what is done of the one that runs; from the run's log."""
        steps = (read_json(self._run.record).get("recipe") or {}).get("steps") or []
        found: dict[str, Any] = {
            "steps": len(steps),
            "behind": 0,
            "step": "",
            "done": 0,
            "total": 0,
        }
        for event in self._events():
            word = event.get("event")
            if word == "started":
                found |= {"behind": 0, "step": "", "done": 0, "total": 0}
            elif word == "step":
                found |= {"behind": found["behind"] + 1, "step": "", "done": 0, "total": 0}
            elif word == "step_started":
                found |= {"step": str(event.get("step")), "done": 0, "total": 0}
            elif word in ("batch", "progress"):
                found |= {"done": event.get("done"), "total": event.get("total")}
        return found

    def _events(self) -> list[dict[str, Any]]:
        """The last events of the run; a line that is being written is none yet."""
        path = self._run.path / LOG
        if not path.is_file():
            return []
        with path.open("rb") as handle:
            handle.seek(max(0, path.stat().st_size - _LOOKED_AT))
            lines = handle.read().splitlines()
        events = []
        for line in lines:
            with suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    events.append(event)
        return events

    def _lines(self, started: _Started) -> list[str]:
        """The last lines that the command wrote."""
        if started.output.closed:
            return started.last
        size = os.fstat(started.output.fileno()).st_size
        content = os.pread(started.output.fileno(), 8000, max(0, size - 8000))
        text = content.decode(errors="replace").replace("\r", "\n")
        return [line for line in text.splitlines() if line.strip()][-_LINES:]

    def _folder(self) -> Path:
        record = read_json(self._run.record) if self._run.record.is_file() else {}
        told = Path(str((record.get("inputs") or {}).get("folder") or ""))
        return told if str(told) != "." and told.exists() else find_images(self._run)


def _says(step: dict[str, Any]) -> bool:
    """Whether a step `decide` is to fit probabilities to judged cells."""
    options = step.get("options") or {}
    return bool(options.get("audited") or options.get("annotations"))

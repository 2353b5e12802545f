"""A run as metrics for Prometheus: what `status` says, as numbers that are asked for often.

Only the run folder is read, so that any host that sees it can answer, also while the run goes on
elsewhere. Needs the extra: `pip install 'cellwise[prometheus]'`.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellwise.app.status import run_status, step_title
from cellwise.errors import CellwiseError, PreflightError
from cellwise.store.run.folder import RunFolder, read_json

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

STATES = ("running", "done", "interrupted", "failed", "killed", "other")
"""What `cellwise_run_state` may say; exactly one of them is 1."""
STEP_STATES = ("waiting", "running", "done", "reused", "not needed")
_PAUSE = 0.5


class RunMetrics:
    """What a registry of `prometheus_client` asks each time that it is asked.

    Args:
        run: The run folder.
    """

    def __init__(self, run: Path) -> None:
        self._run = run

    def collect(self) -> Iterator["Metric"]:
        """One family after the other; only `cellwise_up` where the folder cannot be read now."""
        from prometheus_client.core import GaugeMetricFamily

        try:
            facts = run_status(self._run)
        except (CellwiseError, OSError):
            yield GaugeMetricFamily("cellwise_up", "1 where the run folder could be read", 0)
            return
        yield GaugeMetricFamily("cellwise_up", "1 where the run folder could be read", 1)
        yield _states(facts)
        yield from _steps(facts, self._seconds())
        yield from _numbers(facts)
        yield from _progress(facts["progress"] or {})
        if last := self._last_event():
            yield GaugeMetricFamily(
                "cellwise_last_event_timestamp_seconds", "When log.jsonl was written last", last
            )

    def _seconds(self) -> dict[str, float]:
        steps = read_json(RunFolder(self._run).record).get("steps") or []
        return {step_title(step): float(step.get("seconds") or 0.0) for step in steps}

    def _last_event(self) -> float:
        try:
            return (self._run / "log.jsonl").stat().st_mtime
        except OSError:
            return 0.0


def _states(facts: dict[str, Any]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    # `killed (...)` and `killed on HOST ...` are one state.
    word = str(facts["status"]).split(" ")[0]
    found = GaugeMetricFamily("cellwise_run_state", "1 for the state of the run", labels=["state"])
    for state in STATES:
        found.add_metric([state], state == (word if word in STATES else "other"))
    return found


def _steps(facts: dict[str, Any], seconds: dict[str, float]) -> Iterator["Metric"]:
    from prometheus_client.core import GaugeMetricFamily

    named = ["step"]
    states = GaugeMetricFamily(
        "cellwise_step_state", "1 for the state of a step", labels=["step", "state"]
    )
    sites = GaugeMetricFamily("cellwise_step_sites_done", "Sites that a step did", labels=named)
    took = GaugeMetricFamily("cellwise_step_seconds", "Seconds that a step took", labels=named)
    for step in facts["steps"]:
        title = step_title(step)
        for state in STEP_STATES:
            states.add_metric([title, state], state == step["state"])
        sites.add_metric([title], step["sites"])
        if title in seconds:
            took.add_metric([title], seconds[title])
    yield from (states, sites, took)


def _numbers(facts: dict[str, Any]) -> Iterator["Metric"]:
    from prometheus_client.core import GaugeMetricFamily

    yield GaugeMetricFamily(
        "cellwise_fields_set_aside", "Fields in quarantine.csv", facts["fields_set_aside"]
    )
    yield GaugeMetricFamily(
        "cellwise_quarantine_rows", "Rows of quarantine.csv", facts["quarantined"]
    )
    if facts["holder"]:
        yield GaugeMetricFamily(
            "cellwise_holder_silent_seconds",
            "Seconds since the last sign of the process that works on the run",
            facts["holder"]["silent"],
        )


def _progress(progress: dict[str, Any]) -> Iterator["Metric"]:
    """How far the running step is; nothing where none runs or it has not told yet."""
    from prometheus_client.core import GaugeMetricFamily

    meant = {
        "done": "Units of the running step that are done",
        "total": "Units of the running step",
        "seconds_left": "Seconds that the running step will take",
        "epoch": "Epoch of the model that is learned",
    }
    for name, words in meant.items():
        if progress.get(name) is not None:
            found = GaugeMetricFamily(f"cellwise_progress_{name}", words, labels=["step"])
            found.add_metric([progress["step"]], float(progress[name]))
            yield found


def registry(run: Path) -> "CollectorRegistry":
    """A registry with the metrics of one run.

    Raises:
        PreflightError: Not a run folder, or the extra is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry
    except ImportError as error:
        raise PreflightError(
            "Metrics need one more package: pip install 'cellwise[prometheus]'"
        ) from error

    run_status(run)
    found = CollectorRegistry(auto_describe=False)
    found.register(RunMetrics(run))
    return found


def metrics_text(run: Path) -> str:
    """The metrics of a run in the text format of Prometheus.

    Raises:
        PreflightError: Not a run folder, or the extra is not installed.
    """
    asked = registry(run)
    from prometheus_client import generate_latest

    return generate_latest(asked).decode("utf-8")


def serve_metrics(run: Path, port: int) -> None:
    """Answer on the loopback address at `/metrics` until interrupted, and say where.

    Args:
        run: The run folder.
        port: 0 takes a free one.

    Raises:
        PreflightError: Not a run folder, the extra is not installed, or the port is taken.
    """
    asked = registry(run)
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=asked)
    except OSError as error:
        raise PreflightError(
            f"Port {port} cannot be used ({error.strerror}). Choose another --metrics-port, or 0."
        ) from error
    address = f"http://127.0.0.1:{server.server_port}/metrics"
    print(f"Metrics of {run} are at {address}\nStop with Ctrl+C.", flush=True)
    try:
        while thread.is_alive():
            time.sleep(_PAUSE)
    except KeyboardInterrupt:
        return
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10.0)

"""What is measured of a step while it is at work, and the card's own rate of matrix products."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellwise.flow.pipeline.events import Silent
from cellwise.flow.pipeline.stop import Stopped

# Shares of a case's reports or time: the timed stretch, after which the card is watched.
_FROM, _UNTIL = 0.15, 0.7
_WATCHED_SECONDS = 1.5


@dataclass(slots=True)
class Watch(Silent):
    """Takes the times of one step from the reports of its progress.

    Args:
        step: Part of the title of the step that is measured.
        device: `cpu` or `cuda`.
        seconds: The step is stopped when it was at work for so long.
        clock: Gives seconds.
    """

    step: str
    device: str
    seconds: float
    clock: Callable[[], float] = time.perf_counter
    started: float | None = None
    finished: float | None = None
    marks: list[tuple[float, int]] = field(default_factory=list)
    flops: float | None = None
    busy: float | None = None
    peak: int = 0
    _begun: tuple[float, int] | None = None
    _last: int = -1
    _counter: Any = None
    _counted_from: int = 0
    _profiler: Any = None
    _watched_since: float = 0.0
    _watched_from: int = 0

    def step_started(self, name: str, *, total: int, unit: str, why: str) -> None:
        """Begin, if this is the step."""
        self.started = self.clock() if self.step in name else None
        if self.started is not None and self.device == "cuda":
            import torch

            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def step_advanced(self, done: int, *, total: int, note: str) -> None:
        """Count, time or watch, whatever it is the turn of."""
        # The end may be told twice.
        if self.started is None or done <= self._last:
            return
        self._last = done
        now = self._now()
        if self._begun is None:
            self._begun = (now, done)
            self._count_from(done)
            return
        if self._counter is not None:
            self._count_until(done)
            self.marks = [(self._now(), done)]
            return
        left = max(self.seconds - (self._begun[0] - self.started), 1e-9)
        share = max(done / max(total, 1), (now - self._begun[0]) / left)
        if self._profiler is not None:
            if now - self._watched_since >= _WATCHED_SECONDS:
                self._stop_watching(now)
        elif self.busy is None and share >= _UNTIL and len(self.marks) > 1:
            self._start_watching(done)
        elif self.busy is None:
            # What came before this share of the work was the warm-up.
            fresh = share < _FROM or not self.marks
            self.marks = [(now, done)] if fresh else [*self.marks, (now, done)]
        # A case without a figure yet is given as much again.
        if now - self.started > self.seconds * (1 if len(self.marks) > 1 else 2):
            raise Stopped

    def step_finished(self, name: str, *, seconds: float, counts: dict[str, Any]) -> None:
        """End, if this was the step."""
        if self.step in name:
            self.finished = seconds
            self.close()

    def ended(self, status: str) -> None:
        """End, also where the run was stopped."""
        self.close()

    def close(self) -> None:
        """Leave nothing switched on, and note the memory."""
        if self._counter is not None:
            self._counter.__exit__(None, None, None)
            self._counter = None
        if self._profiler is not None:
            self._stop_watching(self._now())
        if self.started is not None and self.device == "cuda":
            import torch

            self.peak = torch.cuda.max_memory_allocated()
        self.started = None

    @property
    def intervals(self) -> int:
        """From one report to another: how many of these the rate is taken over."""
        return max(len(self.marks) - 1, 0)

    @property
    def rate(self) -> float | None:
        """Units of progress per second; None where too few reports came."""
        if len(self.marks) < 2:
            return None
        (first, before), (last, after) = self.marks[0], self.marks[-1]
        return (after - before) / max(last - first, 1e-9)

    def _now(self) -> float:
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()
        return self.clock()

    def _count_from(self, done: int) -> None:
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        mapping = {torch.ops.aten.convolution_backward: gradient_operations}
        self._counter = FlopCounterMode(display=False, custom_mapping=mapping)
        self._counter.__enter__()
        self._counted_from = done

    def _count_until(self, done: int) -> None:
        self._counter.__exit__(None, None, None)
        self.flops = self._counter.get_total_flops() / (done - self._counted_from)
        self._counter = None

    def _start_watching(self, done: int) -> None:
        if self.device != "cuda":
            return
        from torch.profiler import ProfilerActivity, profile

        self._profiler = profile(activities=[ProfilerActivity.CUDA])
        self._profiler.start()
        self._watched_since, self._watched_from = self.clock(), done

    def _stop_watching(self, now: float) -> None:
        profiler, self._profiler = self._profiler, None
        profiler.stop()
        if self._last == self._watched_from:
            # Nothing was reported since: this is what comes after the work, not the work.
            return
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "trace.json"
            profiler.export_chrome_trace(str(file))
            events = json.loads(file.read_text(encoding="utf-8"))["traceEvents"]
        self.busy = busy_seconds(events) / max(now - self._watched_since, 1e-9)


def gradient_operations(
    grad: Sequence[int], x: Sequence[int], weight: Sequence[int], *rest: Any, **_more: Any
) -> int:
    """Operations of a convolution's gradients: each as many as the convolution itself.

    Torch's own count takes the gradient of a grouped convolution's weights for that of a full one,
    which is 14 times the work of a step with efficientnet_lite0.

    Args:
        grad: Shape of the output's gradient.
        x: Shape of the input.
        weight: Shape of the weights.
        rest: Sizes of the bias, stride, padding, dilation, whether it is a transposed convolution,
            padding of the output, groups, and which of the gradients are asked for.
    """
    from torch.utils.flop_counter import conv_flop_count

    transposed, asked = rest[4], rest[7]
    one = conv_flop_count(list(x), list(weight), list(grad), transposed=transposed)
    return (bool(asked[0]) + bool(asked[1])) * one


def busy_seconds(events: Sequence[dict[str, Any]]) -> float:
    """Seconds in which at least one kernel, copy or fill of a trace ran."""
    spans = sorted(
        (float(event["ts"]), float(event["ts"]) + float(event["dur"]))
        for event in events
        if event.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset") and "dur" in event
    )
    total, reached = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total / 1e6


def matmul_rates(device: str, *, side: int, repeats: int = 20) -> dict[str, float]:
    """Operations per second of square matrix products, by precision: the median of `repeats`."""
    import torch

    before = torch.backends.cuda.matmul.allow_tf32
    rates = {}
    for name, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        torch.backends.cuda.matmul.allow_tf32 = True
        a, b = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
        seconds = []
        for turn in range(repeats + 3):
            start = time.perf_counter()
            a @ b
            if device == "cuda":
                torch.cuda.synchronize()
            if turn >= 3:
                seconds.append(time.perf_counter() - start)
        rates[name] = 2 * side**3 / statistics.median(seconds)
    torch.backends.cuda.matmul.allow_tf32 = before
    return rates

"""Training on a machine that is busy: steps a second with one and two threads, spinning or waiting.

    python benchmarks/busy_machine.py [--json FILE] [--burners 2] [--repeats 3] [--steps 60]

Beside as many processes that do nothing but count as there are cores (`--burners`), started and
ended here, a `tiny` network learns crops of noise, 4 x 64 x 64 pixels in batches of 32. Each
measurement is a process of its own, all take turns: two threads that spin while they wait for each
other, which is what OpenMP does by itself (the way of cellwise before), two that wait passively,
one, and what cellwise chooses. The first steps are not timed. Ratios are of wall time, as that is
what spinning costs; without burners (`--burners 0`) the same shows what passive waiting costs.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

CHANNELS, SIDE, BATCH, WARM = 4, 64, 32, 10
# Threads, and whether the surroundings are those of before.
WAYS = {
    "cellwise": (0, False),
    "two threads, spinning": (2, True),
    "two threads, passive": (2, False),
    "one thread": (1, False),
}
_OURS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


@dataclass(frozen=True, slots=True)
class Timing:
    """One line of the result: seconds of one step, medians of the repeats."""

    case: str
    who: str
    cpu_s: float
    wall_s: float
    peak_mb: float
    ratio_to_ours: float
    steps_per_s: float
    threads: int


@contextmanager
def burners(count: int) -> Iterator[None]:
    """So many processes that use a core each; ended by their own ids."""
    # Each ends when this process is gone, however it ended.
    text = f"import os\nwhile os.getppid() == {os.getpid()}: sum(range(100_000))"
    words = [sys.executable, "-S", "-c", text]
    started = [subprocess.Popen(words) for _ in range(count)]
    try:
        yield
    finally:
        for one in started:
            one.kill()
            one.wait()


def measure_here(threads: int, steps: int, *, as_before: bool) -> dict[str, float]:
    """Train in this process; seconds per step."""
    if not as_before:
        from cellwise.store.processor import look_at_processor, wait_passively

        wait_passively()
        threads = threads or look_at_processor().threads
    import resource

    import torch

    from cellwise.parts.nets import nets

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = nets.build("tiny")(CHANNELS, 8)
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3)
    pixels = torch.rand(BATCH, CHANNELS, SIDE, SIDE)
    truth = torch.randint(0, 2, (BATCH, 8)).float()
    for step in range(WARM + steps):
        if step == WARM:
            cpu, wall = time.process_time(), time.perf_counter()
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(pixels).logits, truth)
        torch.autograd.backward(loss)
        optimiser.step()
    return {
        "cpu_s": (time.process_time() - cpu) / steps,
        "wall_s": (time.perf_counter() - wall) / steps,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "threads": threads,
    }


def measure_there(who: str, steps: int) -> dict[str, float]:
    """The same in a fresh process whose surroundings say nothing of threads."""
    surroundings = {name: value for name, value in os.environ.items() if name not in _OURS}
    words = [sys.executable, __file__, "--once", who, "--steps", str(steps)]
    done = subprocess.run(words, env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{who}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(case: str, count: int, *, repeats: int, steps: int) -> list[Timing]:
    """All ways in turns, so often, beside `count` burners; one line each."""
    found: dict[str, list[dict[str, float]]] = {who: [] for who in WAYS}
    with burners(count):
        # The load of the last minute is what threads are chosen by.
        time.sleep(60 if count else 0)
        for _ in range(repeats):
            for who in WAYS:
                found[who].append(measure_there(who, steps))
    middle = {
        who: {word: statistics.median(one[word] for one in runs) for word in runs[0]}
        for who, runs in found.items()
    }
    ours = middle["cellwise"]["wall_s"]
    return [
        Timing(
            case, who, seen["cpu_s"], seen["wall_s"], seen["peak_mb"], seen["wall_s"] / ours,
            1 / seen["wall_s"], int(seen["threads"]),
        )
        for who, seen in middle.items()
    ]  # fmt: skip


def main() -> None:
    """Measure and print one line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--burners", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.once:
        threads, as_before = WAYS[asked.once]
        print(json.dumps(measure_here(threads, asked.steps, as_before=as_before)))
        return
    case = f"beside {asked.burners} busy processes"
    print(f"{platform.machine()}, {os.cpu_count()} processors, torch {version('torch')}")
    print("| case | who | threads | steps/s | CPU ms a step | time, ratio to ours |")
    print("| --- | --- | --- | --- | --- | --- |")
    lines = compare(case, asked.burners, repeats=asked.repeats, steps=asked.steps)
    for line in lines:
        print(
            f"| {line.case} | {line.who} | {line.threads} | {line.steps_per_s:.1f} | "
            f"{1e3 * line.cpu_s:.0f} | {line.ratio_to_ours:.2f} |"
        )
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in lines], indent=1), "utf-8")


if __name__ == "__main__":
    main()

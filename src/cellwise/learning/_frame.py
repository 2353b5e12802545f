"""What every training here asks of lightning and torch.

A trainer writes, logs and draws nothing by itself; random state, threads and the meaning of an
interrupt are the caller's again when it ends. Freed memory stays with the process, see `memory`.
"""

import logging
import signal
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy

from cellwise.parts.memory import keep_freed_memory


def run_trainer(
    learner: LightningModule,
    batches: Iterable[Any],
    *,
    epochs: int,
    device: str,
    devices: int = 1,
    nodes: int = 1,
    folder: Path,
    start: str | None,
    **options: Any,
) -> None:
    """Train `learner`, from the checkpoint `start` if there is one; to be called in `surroundings`.

    Args:
        learner: Saves its own checkpoints.
        batches: Those of an epoch.
        epochs: To run, at most.
        device: `cpu`, `cuda` or `mps`.
        devices: Processes of this host that train together; each of them calls this.
        nodes: Hosts with as many.
        folder: For what lightning may want to write.
        start: A checkpoint's path.
        **options: Further options of lightning's trainer.

    Raises:
        KeyboardInterrupt: Stopped from outside.
    """
    trainer = Trainer(
        accelerator="gpu" if device.startswith("cuda") else device,
        devices=devices,
        num_nodes=nodes,
        strategy="auto" if devices * nodes == 1 else _shared(device),
        # The order of items is ours: a function of seed and epoch, each rank a share of each batch.
        use_distributed_sampler=False,
        # Without this a job of a cluster's scheduler would be taken for a multi-node training.
        plugins=[LightningEnvironment()],
        max_epochs=epochs,
        # Equal bits are promised on a processor only; on a card they would cost much of its speed.
        deterministic=device == "cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=str(folder),
        **options,
    )
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(learner, batches, ckpt_path=start, weights_only=True)
    except SystemExit as stop:
        # Lightning ends the process on an interrupt; the shell above decides what one means.
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from stop


def _shared(device: str) -> DDPStrategy:
    """Gradients averaged over processes that were started already, see `ranks`."""
    return DDPStrategy(process_group_backend="nccl" if device.startswith("cuda") else "gloo")


def seed_batch(seed: int, device: torch.device) -> None:
    """Seed the processor, and the card if one is at work.

    `torch.manual_seed` also notes the seed for every kind of card that is not there, with a whole
    call stack each, and keeps those notes: time and memory for every batch.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def surroundings(threads: int, device: str) -> Iterator[None]:
    """Threads, random state, determinism and logging as training needs them, then as before."""
    logs = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [log.level for log in logs]
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    benchmark = torch.backends.cudnn.benchmark
    devices = [0] if device.startswith("cuda") else []
    keep_freed_memory()
    try:
        torch.set_num_threads(threads)
        # Lightning tells of tips and hardware at level INFO.
        for log in logs:
            log.setLevel(logging.WARNING)
        with torch.random.fork_rng(devices=devices), warnings.catch_warnings():
            # Lightning itself calls what torch has deprecated; nobody here can change that.
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"lightning\..*")
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"lightning\..*")
            # Reading in the process is a choice: it never changes a result.
            warnings.filterwarnings("ignore", message=r".*does not have many workers.*")
            # A batch that is passed over on purpose.
            warnings.filterwarnings("ignore", message=r".*training_step. returned .None.")
            # Where Slurm is installed: `cellwise` starts its own processes.
            warnings.filterwarnings("ignore", message=r"The `srun` command is available")
            yield
    finally:
        torch.set_num_threads(before[0])
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
        torch.use_deterministic_algorithms(before[1])
        torch.backends.cudnn.benchmark = benchmark

"""The frame of a training: seeds as torch's own, and everything as it was afterwards."""

import logging
import signal

import pytest
import torch
from lightning.pytorch import LightningModule

from cellwise.learning._frame import run_trainer, seed_batch, surroundings


@pytest.mark.parametrize("seed", [0, 1, 2**40 + 3])
def test_a_batch_is_seeded_as_torch_would(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        wanted = torch.rand(5)
        torch.rand(3)
        seed_batch(seed, torch.device("cpu"))
        torch.testing.assert_close(torch.rand(5), wanted, rtol=0, atol=0)


def test_threads_random_state_and_logging_are_the_callers_again():
    log = logging.getLogger("lightning.pytorch")
    before = (torch.get_num_threads(), torch.random.get_rng_state(), log.level)

    def disturb():
        with surroundings(1, "cpu"):
            seed_batch(7, torch.device("cpu"))
            torch.use_deterministic_algorithms(mode=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        disturb()
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert log.level == before[2]
    assert not torch.are_deterministic_algorithms_enabled()


class Learner(LightningModule):
    def __init__(self, at):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen, self.at = [], at

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def training_step(self, batch, batch_idx):
        self.seen.append(int(batch))
        if batch_idx == self.at:
            raise KeyboardInterrupt
        return (self.weight - 1).square().sum()


def train(learner, folder):
    with surroundings(1, "cpu"):
        run_trainer(learner, range(3), epochs=2, device="cpu", folder=folder, start=None)


def test_every_batch_of_every_epoch_comes_in_order(tmp_path):
    learner = Learner(at=None)
    train(learner, tmp_path)
    assert learner.seen == [0, 1, 2, 0, 1, 2]
    assert 0 < learner.weight.item() < 1
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_an_interrupt_is_an_interrupt_and_the_next_one_is_heard(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(Learner(at=1), tmp_path)
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_machine_with_slurm_gets_no_advice_on_it(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "srun").write_text("#!/bin/sh\n")
    (programs / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    train(Learner(at=None), tmp_path / "work")

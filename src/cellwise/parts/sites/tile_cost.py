"""How long networks of tiles take to look at a whole site once: untrained ones are tried."""

import json
import time

import torch

from cellwise.domain.trial import Trial
from cellwise.parts.nets import nets, without_beginning
from cellwise.parts.panel import steady
from cellwise.parts.resize import resize
from cellwise.parts.tasks import tasks
from cellwise.parts.tiles import tiles_of


def seconds_per_site(trial: Trial, step: str, *, device: str, threads: int) -> float:
    """Seconds of one core for a site, the mean over those with and without a label.

    A site without a label is shown to the models of all folds. 0 where nothing can be tried.

    Args:
        trial: Of the folder.
        step: Name of the train step whose networks look.
        device: Where they will.
        threads: Processor threads.
    """
    learned = trial.named.get(f"train {step}")
    if learned is None or trial.classes is None:
        return 0.0
    shown = [learned.get("channels", "all"), learned.get("without") or []]
    task = tasks.build(learned["task"])
    if not task.size or not task.tile:
        # Refused when it comes to it: the networks learn no tiles.
        return 0.0
    key = json.dumps(["look", device, threads, learned["net"], task.size, task.tile, shown])
    if key not in trial.known:
        taken = [
            place
            for place, channel in enumerate(trial.channels)
            if not {channel.name, channel.role} & set(shown[1])
            and (shown[0] == "all" or {channel.name, channel.role} & set(shown[0]))
        ]
        whole = torch.from_numpy(trial.field.pixels[taken])[None]
        cut = tiles_of(resize(whole, task.size, task.size), task.tile)[0]
        make = nets.build(without_beginning(learned["net"]))
        net = make(len(taken), len(trial.classes.positive)).eval().to(device)
        with steady(threads), torch.no_grad():
            trial.known[key] = _timed(net, cut.to(device), trial.patience)
    models = len(learned.get("folds") or range(trial.folds))
    asked = trial.labelled * min(models / trial.folds, 1.0)
    asked += (trial.sites - trial.labelled) * models
    return trial.known[key] * asked / max(trial.sites, 1)


def _timed(net: torch.nn.Module, tiles: torch.Tensor, patience: float) -> float:
    """Seconds for all tiles; of those that take long, from one of them."""
    one = _seconds(net, tiles[:1])
    if one * len(tiles) > patience:
        return _seconds(net, tiles[:1]) * len(tiles)
    return _seconds(net, tiles)


def _seconds(net: torch.nn.Module, tiles: torch.Tensor) -> float:
    begun = time.process_time()
    net(tiles)
    return time.process_time() - begun

"""Shards, merges and finishes in this process, on one core."""

from pathlib import Path

from cellwise.flow.pipeline.events import Silent
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.pipeline.shards.courses import Finish, Merge, Whole
from cellwise.flow.pipeline.shards.part import Part
from cellwise.flow.pipeline.shards.work import work_on_shard
from cellwise.flow.request import make_request

TWO = Path(__file__).resolve().parent / "two_stretches.yaml"
COMMAND = ("cellwise", "run", "images", "--out", "out.run")


def asked(folder, out, *settings, **options):
    """The request of a call."""
    options = {"device": "cpu", "workers": 1, "recipe": str(TWO), "command": COMMAND, **options}
    return make_request(folder, out, settings=settings, **options)


def shard(folder, out, text, *settings, listener=None, **options):
    """What `--shard` does."""
    part = Part.parse(text)
    return work_on_shard(
        lambda: asked(folder, out, *settings, **options), out, part, listener or Silent()
    )


def shards(folder, out, of, *settings, **options):
    """All shards, one after the other, the last one first."""
    numbers = range(of, 0, -1)
    return [shard(folder, out, f"{n}/{of}", *settings, **options) for n in numbers]


def merge(folder, out, *settings, listener=None, **options):
    """What `--merge` does."""
    return run_pipeline(asked(folder, out, *settings, **options), listener, Merge())


def finish(folder, out, *settings, listener=None, **options):
    """What `--finish` does."""
    return run_pipeline(asked(folder, out, *settings, **options), listener, Finish())


def whole(folder, out, *settings, listener=None, **options):
    """A run without shards."""
    return run_pipeline(asked(folder, out, *settings, **options), listener, Whole())

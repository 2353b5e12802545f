"""Checks of what sees pixels: augmentations, networks, segmenters, scorers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cellwise.contracts.augmentation import Augment, ForPanel, Panel, bound
from cellwise.contracts.network import Asked, MakeNet, Output
from cellwise.contracts.scorer import Scorer, SitePixels
from cellwise.contracts.segmenter import Segmenter
from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks
from cellwise.errors import BadOption, InputError
from cellwise.testing._component import Component

_ITEMS, _CLASSES, _SIDE = 5, 3, 32
_ROLES = ("microtubule", "protein", "nucleus", "er")
_PANEL = Panel(
    tuple(Channel(role, role) for role in _ROLES),
    ("Microtubules", "Endoplasmic reticulum", "Nucleoplasm"),
)
_ONE_STAIN = Panel((Channel("grey"),), ("A",))


def check_augmentation(build: Callable[..., Augment | ForPanel], **options: Any) -> None:
    """Check an augmentation: same shapes, and chance that belongs to the item alone.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("augmentation", build, options)
    made = part.make(ForPanel) if _is_for_panel(part) else part.make()
    change = bound(made, _PANEL)
    draw = torch.Generator().manual_seed(0)
    batch = torch.rand(_ITEMS, len(_ROLES), _SIDE, _SIDE, generator=draw)
    targets = (torch.rand(_ITEMS, len(_PANEL.classes), generator=draw) < 0.5).float()
    before = batch.clone(), targets.clone()
    pixels, labels = change(batch, targets, _rngs(range(_ITEMS)))
    part.need(pixels.shape == batch.shape, "pixels keep their shape", tuple(pixels.shape))
    part.need(pixels.dtype == batch.dtype, "pixels keep their type", pixels.dtype)
    part.need_finite(pixels, "its pixels")
    part.need(labels.shape == targets.shape, "targets keep their shape", tuple(labels.shape))
    low, high = float(labels.min()), float(labels.max())
    part.need(low >= 0 and high <= 1, "targets lie in 0..1", f"{low}..{high}")
    if not (isinstance(made, ForPanel) and made.relabels):
        same = torch.equal(labels, targets)
        part.need(same, "targets change only where `relabels` says so", "other targets")
    untouched = torch.equal(batch, before[0]) and torch.equal(targets, before[1])
    part.need(untouched, "what it is given stays as it is", "the batch was written to")
    rule = "an item is changed alike in any company, by its own generator"
    # What says that it mixes items of a batch takes from others what it shows.
    for item in range(0 if "company" in part.needs else _ITEMS):
        own = slice(item, item + 1)
        alone = change(batch[own], targets[own], _rngs([item]))[0]
        part.need_equal(alone, pixels[own], rule)
    if isinstance(made, ForPanel):
        try:
            made.bind(_ONE_STAIN)
        except BadOption:
            return


def _is_for_panel(part: Component) -> bool:
    return isinstance(part.build(**part.options), ForPanel)


def _rngs(items: Any) -> list[np.random.Generator]:
    return [np.random.default_rng((1, item)) for item in items]


def check_net(build: Callable[..., MakeNet], **options: Any) -> None:
    """Check a network: logits of every item, that can be learned and do not depend on its company.

    One whose file says `NEEDS = ("vectors",)` is shown embeddings in place of pixels.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("net", build, options)
    make = part.make()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net, twin = make(2, _CLASSES), make(2, _CLASSES)
    shape = (_ITEMS, 2) if "vectors" in part.needs else (_ITEMS, 2, 64, 64)
    pixels = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    logits: Tensor = net.train()(pixels).logits
    rule = f"it gives logits [item, class], {(_ITEMS, _CLASSES)}"
    part.need(tuple(logits.shape) == (_ITEMS, _CLASSES), rule, tuple(logits.shape))
    part.need_finite(logits.detach(), "its logits")
    logits.square().sum().backward()  # type: ignore[no-untyped-call]
    learned = [name for name, weight in net.named_parameters() if weight.grad is not None]
    part.need(learned, "it can be learned", "no weight has a gradient")
    with torch.no_grad():
        every = net.eval()(pixels).logits
        alone = net(pixels[1:2]).logits
        twin.load_state_dict(net.state_dict())
        loaded = twin.eval()(pixels).logits
    rule = "once trained, an item's logits do not depend on its company"
    part.need_equal(alone, every[1:2], rule)
    part.need_equal(loaded, every, "its weights, stored and loaded, give the same logits")
    _check_answers(part, net, pixels)


def _check_answers(part: Component, net: nn.Module, pixels: Tensor) -> None:
    """An embedding and a class map where they are asked for; a map may be refused."""
    with torch.no_grad():
        embedding = net(pixels, Asked.EMBEDDING).embedding
        rule = "an embedding is [item, feature]"
        part.need(embedding.ndim == 2 and len(embedding) == _ITEMS, rule, tuple(embedding.shape))
        part.need_finite(embedding, "its embeddings")
        try:
            class_map = net(pixels, Asked.CLASS_MAP).class_map
        except BadOption:
            return
    rule = f"a class map is [item, class, y, x], here {(_ITEMS, _CLASSES)} and the places"
    fits = class_map.ndim == 4 and class_map.shape[:2] == (_ITEMS, _CLASSES)
    part.need(fits, rule, tuple(class_map.shape))
    part.need_finite(class_map, "its class maps")


def check_segmenter(build: Callable[..., Segmenter], **options: Any) -> None:
    """Check a segmenter: masks of the field's size, nuclei inside numbered cells, no surprise.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("segmenter", build, options)
    segment = part.make()
    full = _discs()
    _check_masks(part, segment, full)
    for odd in (
        _field("empty", np.zeros((2, 48, 64), np.float32)),
        _field("full", np.ones((2, 48, 64), np.float32)),
        _field("small", full.pixels[:, :5, :7]),
        _field("one channel", full.pixels[:1]),
    ):
        try:
            _check_masks(part, segment, odd)
        except InputError:
            continue


def _check_masks(part: Component, segment: Segmenter, field: Field) -> None:
    """A field is segmented or refused with `InputError`, which sets it alone aside."""
    before = field.pixels.copy()
    masks = segment(field)
    what = f"field {field.site_id!r}"
    part.need(isinstance(masks, Masks), "it gives Masks", f"{type(masks).__name__}, {what}")
    shape = field.pixels.shape[1:]
    rule = "masks have the height and width of the field"
    part.need(masks.cells.shape == shape, rule, f"{masks.cells.shape} for {shape}, {what}")
    for labels in (masks.cells, masks.nuclei):
        unsigned = labels.dtype in (np.uint16, np.uint32)
        part.need(unsigned, "masks are uint16 or uint32", f"{labels.dtype}, {what}")
    apart = (masks.nuclei > 0) & (masks.nuclei != masks.cells)
    rule = "a nucleus lies in the cell of its number"
    part.need(not apart.any(), rule, f"{int(apart.sum())} pixels elsewhere, {what}")
    again = segment(field)
    rule = "the same field gives the same masks"
    part.need_equal(masks.cells, again.cells, rule)
    part.need_equal(masks.nuclei, again.nuclei, rule)
    untouched = np.array_equal(before, field.pixels)
    part.need(untouched, "what it is given stays as it is", f"pixels were written to, {what}")


def _field(name: str, pixels: np.ndarray[Any, np.dtype[np.float32]]) -> Field:
    channels = (Channel("dna", "nucleus"), Channel("er", "er"))
    return Field(name, pixels, channels[: len(pixels)])


def _discs() -> Field:
    """Six round cells of 12 pixels radius with nuclei of half of it, on a noisy ground."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :128]
    pixels = rng.uniform(0.02, 0.05, (2, 96, 128)).astype(np.float32)
    for row in (24, 72):
        for column in (24, 64, 104):
            far = np.hypot(y - row, x - column)
            pixels[0][far < 7] += 0.6
            pixels[1][far < 13] += 0.3
    return _field("discs", pixels)


class _Shows:
    """Stands for a loaded network: a class is as likely as its channel is bright."""

    def __call__(
        self, pixels: Tensor, asked: Asked = Asked.LOGITS, covariates: Tensor | None = None
    ) -> Output:
        mean = pixels.mean((2, 3)) if pixels.ndim == 4 else pixels
        return Output(
            mean if Asked.LOGITS in asked else None,
            pixels if Asked.CLASS_MAP in asked else None,
            mean if Asked.EMBEDDING in asked else None,
        )

    def extract_features(self, pixels: Tensor) -> Tensor:
        return pixels

    def answer(self, features: Tensor) -> Tensor:
        return features.mean((2, 3))


def check_scorer(build: Callable[..., Scorer], **options: Any) -> None:
    """Check a scorer: `[view, cell, class]` logits of the cells asked for, or one row per field.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("scorer", build, options)
    scorer = part.make(Scorer)
    part.need(scorer.unit in ("cell", "site"), "its unit is 'cell' or 'site'", repr(scorer.unit))
    part.need(scorer.gives in ("cell", "site"), "it gives 'cell' or 'site'", repr(scorer.gives))
    pixels = _site_pixels(scorer)
    before = pixels.crops.clone(), pixels.field.clone(), pixels.masks.clone()
    with torch.no_grad():
        found, again = scorer.score(_Shows(), pixels), scorer.score(_Shows(), pixels)
    rows = len(pixels.numbers) if scorer.gives == "cell" else 1
    rule = f"it gives logits [view, {scorer.gives}, class], here (any, {rows}, {_CLASSES})"
    part.need(found.ndim == 3, rule, tuple(found.shape))
    part.need(found.shape[0] >= 1 and found.shape[1:] == (rows, _CLASSES), rule, tuple(found.shape))
    part.need_finite(found, "its logits")
    part.need_equal(found, again, "the same site gets the same logits")
    after = pixels.crops, pixels.field, pixels.masks
    untouched = all(torch.equal(one, two) for one, two in zip(before, after, strict=True))
    part.need(untouched, "what it is given stays as it is", "pixels or masks were written to")
    if scorer.class_map is not None:
        shown = scorer.class_map(_Shows(), pixels)
        rule = "a class map is [class, y, x]"
        part.need(shown.ndim == 3 and len(shown) == _CLASSES, rule, tuple(shown.shape))
        part.need_finite(shown, "class maps")


def _site_pixels(scorer: Scorer) -> SitePixels:
    draw = torch.Generator().manual_seed(0)
    numbers = torch.tensor([2, 5, 9])
    nothing, no_masks = torch.empty(0), torch.empty(0, dtype=torch.int64)
    if scorer.items == "vectors":
        vectors = torch.randn(3, _CLASSES, generator=draw)
        return SitePixels(nothing, nothing, no_masks, numbers, vectors)
    if scorer.unit == "cell":
        crops = torch.rand(3, _CLASSES, 16, 16, generator=draw)
        return SitePixels(crops, nothing, no_masks, numbers)
    if scorer.items == "tiles":
        field = torch.rand(_CLASSES, 32, 32, generator=draw)
        return SitePixels(nothing, field, no_masks, no_masks, tile=16)
    masks = torch.zeros(48, 64, dtype=torch.int64)
    masks[4:20, 4:20], masks[24:40, 8:30], masks[10:40, 40:60] = 2, 5, 9
    field = torch.rand(_CLASSES, 24, 32, generator=draw)
    return SitePixels(nothing, field, masks, numbers)

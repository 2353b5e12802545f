"""The network of HPA-Cell-Segmentation: a U-Net on a dual path encoder (DPN-92).

Layers carry the names and shapes of the published weights, so that a converted file fits without a
table of translations. Every 3 x 3 convolution of the encoder is grouped; the dual path keeps a part
of its channels as sums (residual) and a part as a growing list (dense). The decoder doubles the
size by repetition, has biases and no normalisation.

Sources: dual path networks (Chen et al. 2017, arXiv 1707.01629); U-Net (Ronneberger et al. 2015,
arXiv 1505.04597); their union and the names of its layers from the winners of the Data Science Bowl
2018 (Selim Seferbekov and others), which CellProfiling/HPA-Cell-Segmentation
trained anew. Without the published weights three things could be compared with those sources only
on paper: see docs/how-to/use-the-hpa-networks.md.
"""

from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field as Limits
from torch import Tensor, nn

Size = Annotated[int, Limits(ge=1)]

# The encoder's normalisation, unlike torch's own 1e-5.
_EPS = 1e-3


def build(
    channels: Size = 3,
    maps: Size = 3,
    first: Size = 64,
    width: Size = 96,
    residual: Size = 256,
    groups: Size = 32,
    blocks: tuple[Size, Size, Size, Size] = (3, 4, 20, 3),
    growth: tuple[Size, Size, Size, Size] = (16, 32, 24, 128),
) -> nn.Module:
    """Make the network; the defaults are DPN-92 and the published weights fit no other.

    Args:
        channels: Planes it reads.
        maps: Planes it gives: logits, as large as what it reads.
        first: Channels after the first convolution.
        width: Channels of the grouped convolutions of the first stage; each stage has twice those
            of the one before. A multiple of `groups`.
        residual: Channels of the summed path in the first stage; doubles likewise.
        groups: Groups of the 3 x 3 convolutions.
        blocks: Dual path blocks per stage.
        growth: Channels that each block of a stage adds to the dense path.

    Returns:
        A module from `[item, channel, y, x]`, sides multiples of 32, to `[item, map, y, x]`.
    """
    return _DpnUnet(channels, maps, first, width, residual, groups, blocks, growth)


class _NormActConv(nn.Module):
    """Normalise, cut off below zero, convolve: the order of pre-activated networks."""

    def __init__(
        self, before: int, after: int, side: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(before, eps=_EPS)
        self.conv = nn.Conv2d(before, after, side, stride, side // 2, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        convolved: Tensor = self.conv(torch.relu(self.bn(x)))
        return convolved


class _Block(nn.Module):
    """One dual path block; the two paths travel as one tensor, summed channels first.

    Args:
        before: Channels it is given.
        inner: Channels of its grouped convolution.
        residual: Channels of the summed path.
        growth: Channels it adds to the dense path; the first block of a stage starts with two more
            of these.
        stride: 2 halves the size.
        starts: Whether it is the first of a stage, where both paths are made anew.
    """

    def __init__(
        self,
        before: int,
        inner: int,
        residual: int,
        growth: int,
        groups: int,
        *,
        stride: int,
        starts: bool,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.shortcut = f"c1x1_w_s{stride}" if starts else ""
        if starts:
            anew = _NormActConv(before, residual + 2 * growth, 1, stride=stride)
            self.add_module(self.shortcut, anew)
        self.c1x1_a = _NormActConv(before, inner, 1)
        self.c3x3_b = _NormActConv(inner, inner, 3, stride=stride, groups=groups)
        self.c1x1_c = _NormActConv(inner, residual + growth, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = self.get_submodule(self.shortcut)(x) if self.shortcut else x
        made = self.c1x1_c(self.c3x3_b(self.c1x1_a(x)))
        summed = kept[:, : self.residual] + made[:, : self.residual]
        return torch.cat([summed, kept[:, self.residual :], made[:, self.residual :]], dim=1)


class _NormAct(nn.Module):
    """The encoder's last normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, eps=_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn(x))


class _Enlarge(nn.Module):
    """Twice the size by repetition, then a convolution."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        larger: Tensor = self.layer(x)
        return larger


class _Join(nn.Module):
    """What the decoder has so far and what the encoder saw at this size, made one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(nn.Conv2d(2 * channels, channels, 3, padding=1), nn.ReLU())

    def forward(self, decoded: Tensor, encoded: Tensor) -> Tensor:
        joined: Tensor = self.seq(torch.cat([decoded, encoded], dim=1))
        return joined


class _DpnUnet(nn.Module):
    def __init__(
        self,
        channels: int,
        maps: int,
        first: int,
        width: int,
        residual: int,
        groups: int,
        blocks: tuple[int, ...],
        growth: tuple[int, ...],
    ) -> None:
        super().__init__()
        stem = nn.Sequential(
            nn.Conv2d(channels, first, 7, 2, 3, bias=False),
            nn.BatchNorm2d(first, eps=_EPS),
            nn.ReLU(),
        )
        stages, sizes = [stem], [first]
        for level, (count, grows) in enumerate(zip(blocks, growth, strict=True)):
            summed, inner = residual << level, width << level
            stage: list[nn.Module] = [] if level else [nn.MaxPool2d(3, 2, 1)]
            before = sizes[-1]
            for number in range(count):
                stride = 2 if level and not number else 1
                stage.append(
                    _Block(before, inner, summed, grows, groups, stride=stride, starts=not number)
                )
                before = summed + (3 + number) * grows
            stages.append(nn.Sequential(*stage))
            sizes.append(before)
        stages[-1].append(_NormAct(sizes[-1]))
        self.bottlenecks = nn.ModuleList(_Join(size) for size in reversed(sizes[:-1]))
        self.decoder_stages = nn.ModuleList(
            _Enlarge(size, smaller) for smaller, size in pairwise(sizes)
        )
        self.last_upsample = _Enlarge(first, first)
        self.final = nn.Sequential(nn.Conv2d(first, maps, 3, padding=1))
        self.encoder_stages = nn.ModuleList(stages)

    def forward(self, pixels: Tensor) -> Tensor:
        seen, x = [], pixels
        for stage in self.encoder_stages:
            x = stage(x)
            seen.append(x)
        seen.pop()
        for enlarge, join in zip(reversed(self.decoder_stages), self.bottlenecks, strict=True):
            x = join(enlarge(x), seen.pop())
        logits: Tensor = self.final(self.last_upsample(x))
        return logits

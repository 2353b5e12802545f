"""A network compiled by OpenVINO, for whatever is asked of it and however large its images are."""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cellwise.contracts.network import Asked, Output
from cellwise.errors import BadOption

_PARTS = (
    (Asked.LOGITS, "logits"),
    (Asked.CLASS_MAP, "class_map"),
    (Asked.EMBEDDING, "embedding"),
    (Asked.COSINES, "cosines"),
)


class OpenVinoNet(nn.Module):
    """Answers as the network that it was made of does, in single precision numbers.

    Each size of images and each kind of answer is compiled once, when it first comes.

    Args:
        net: In evaluation mode, on the processor.
        half: Whether products are of bf16, where the processor has it.
        threads: Processor threads.
    """

    def __init__(self, net: nn.Module, *, half: bool, threads: int) -> None:
        super().__init__()
        self._net = net
        self._settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._compiled: dict[Any, Any] = {}

    def forward(
        self, items: Tensor, asked: Asked = Asked.LOGITS, covariates: Tensor | None = None
    ) -> Output:
        """As of any network."""
        if covariates is not None:
            raise BadOption("score: networks that are told something run by torch only.")
        key = asked, tuple(items.shape[1:])
        if key not in self._compiled:
            self._compiled[key] = self._compile(items, asked)
        compiled = self._compiled[key]
        # OpenVINO reads arrays as they lie, channels first.
        found = compiled([np.ascontiguousarray(items.numpy())])
        arrays = [torch.from_numpy(found[k].copy()) for k in range(len(compiled.outputs))]
        names = [name for part, name in _PARTS if part in asked]
        return Output(**dict(zip(names, arrays, strict=True)))

    def extract_features(self, items: Tensor) -> Tensor:
        """Refused: a compiled network has no halves."""
        raise BadOption("score: a compiled network has no features; give runtime fp32 or bf16.")

    def answer(self, features: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        """Refused: a compiled network has no halves."""
        raise BadOption("score: a compiled network has no features; give runtime fp32 or bf16.")

    def _compile(self, items: Tensor, asked: Asked) -> Any:
        import openvino

        shape = openvino.PartialShape([-1, *items.shape[1:]])
        with warnings.catch_warnings(), torch.inference_mode(mode=False), torch.no_grad():
            # OpenVINO's own reader of torch modules traces them, which torch will drop one day.
            warnings.simplefilter("ignore")
            example = items.clone().contiguous()
            read = openvino.convert_model(
                _Answer(self._net, asked), example_input=example, input=[shape]
            )
        return openvino.compile_model(read, "CPU", self._settings)


class _Answer(nn.Module):
    """A network whose answer is a tuple, as a tracer needs it."""

    def __init__(self, net: nn.Module, asked: Asked) -> None:
        super().__init__()
        self.net, self.asked = net, asked

    def forward(self, items: Tensor) -> tuple[Tensor, ...]:
        found: Output = self.net(items, self.asked)
        return tuple(getattr(found, name) for part, name in _PARTS if part in self.asked)

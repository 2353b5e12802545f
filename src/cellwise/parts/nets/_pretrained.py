"""Published weights, only where they are asked for: from timm's hub, or from a file."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cellwise.errors import PreflightError
from cellwise.store.network_weights import network_digest

_SHOWN = 3


def open_hub(model: str, options: dict[str, Any]) -> Any:
    """A timm model with the weights timm publishes, from its cache or the network.

    Raises:
        PreflightError: They could not be had; says what would bring them.
    """
    import timm

    try:
        return timm.create_model(model, pretrained=True, **options)
    except (OSError, RuntimeError) as error:
        raise PreflightError(
            f"The published weights of {model!r} could not be fetched: {error} "
            "Connect once to fill timm's cache: python -c \"import timm; "
            f"timm.create_model('{model}', pretrained=True)\"; or name a file "
            "(net.pretrained=FILE), or leave out 'pretrained'."
        ) from error


def in_cache(model: str) -> bool:
    """Whether timm needs no network for the weights of a model; of one it does not know, True.

    Whoever builds a model that timm does not know says so in better words.
    """
    import timm
    from huggingface_hub import constants, try_to_load_from_cache
    from timm.models import get_pretrained_cfg

    known = get_pretrained_cfg(model) if timm.is_model(model) else None
    if known is None or not (known.hf_hub_id or known.url):
        return True
    if known.hf_hub_id:
        names = (known.hf_hub_filename, constants.SAFETENSORS_SINGLE_FILE, "pytorch_model.bin")
        wanted = known.hf_hub_id.split("@")[0]
        found = (try_to_load_from_cache(wanted, name) for name in names if name)
        if any(isinstance(path, str) for path in found):
            return True
    file = Path(str(known.url)).name
    return bool(known.url) and (Path(torch.hub.get_dir()) / "checkpoints" / file).is_file()


def open_file(name: str, sha256: str) -> dict[str, Tensor]:
    """The tensors of a file, by name.

    Raises:
        PreflightError: The file is not there, or is not the one that was meant.
    """
    path = Path(name)
    if not path.is_file():
        raise PreflightError(f"There is no file of pretrained weights {name}.")
    found = network_digest(path)
    if sha256 and found != sha256.lower():
        raise PreflightError(f"{name} has the sha256 {found}, not {sha256}: it is another file.")
    return _read(path)


def load_weights(trunk: Any, weights: dict[str, Tensor], name: str) -> Any:
    """The model with weights of a file; the rows of its classifier are passed over.

    Args:
        trunk: A timm model.
        weights: By the names of timm.
        name: Of the file.

    Raises:
        PreflightError: They are those of another model.
    """
    wanted = trunk.state_dict()
    missing = [key for key in wanted if key not in weights]
    wrong = [key for key in wanted if key in weights and weights[key].shape != wanted[key].shape]
    if missing or wrong:
        what = ", ".join((missing or wrong)[:_SHOWN])
        how = "lacks" if missing else "has another shape for"
        raise PreflightError(f"{name} holds the weights of another model: it {how} {what}.")
    trunk.load_state_dict({key: weights[key] for key in wanted})
    return trunk


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file as load_safetensors

    try:
        if path.suffix == ".safetensors":
            content: Any = load_safetensors(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise PreflightError(f"{path} cannot be read as weights: {error}") from error
    except Exception as error:
        raise PreflightError(
            f"{path} holds more than tensors and is not opened: {error} "
            "Save its state_dict as .safetensors."
        ) from error
    inner = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(inner, dict) or not all(isinstance(v, Tensor) for v in inner.values()):
        raise PreflightError(f"{path} holds no table of tensors by name.")
    return {key.removeprefix("module."): value for key, value in inner.items()}

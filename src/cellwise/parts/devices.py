"""Which devices are here."""


def has_gpu() -> bool:
    """Whether torch sees a GPU; torch takes seconds to import and is asked only when needed."""
    import torch

    return torch.cuda.is_available()


def has_mps() -> bool:
    """Whether torch can work on the graphics processor of this Mac."""
    import torch

    return torch.backends.mps.is_available()


def count_gpus() -> int:
    """How many GPUs torch sees."""
    import torch

    return torch.cuda.device_count()


# What the CUDA runtime says of a device that is lost; a failure of the program reads otherwise, and
# so does memory that does not suffice. Source: cudaGetErrorString of the CUDA runtime API.
_LOST = (
    "no cuda-capable device",
    "no cuda gpus are available",
    "found no nvidia driver",
    "invalid device ordinal",
    "device(s) is/are busy or unavailable",
    "uncorrectable ecc error",
    "uncorrectable nvlink error",
    "cuda error: unknown error",
    "gpu is lost",
    "device not ready",
    "driver shutting down",
)


def gpu_fault(error: BaseException) -> str:
    """Words that follow the name of a machine whose GPU is gone; empty for any other error."""
    said = str(error)
    if not isinstance(error, RuntimeError) or not any(w in said.lower() for w in _LOST):
        return ""
    return f"has lost its GPU ({said.splitlines()[0].strip().rstrip('.')})"

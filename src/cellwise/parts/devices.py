"""Which devices are here."""


def has_gpu() -> bool:
    """Whether torch sees a GPU; torch takes seconds to import and is asked only when needed."""
    import torch

    return torch.cuda.is_available()


def count_gpus() -> int:
    """How many GPUs torch sees."""
    import torch

    return torch.cuda.device_count()

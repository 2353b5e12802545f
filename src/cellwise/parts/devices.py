"""Which devices are here."""


def has_gpu() -> bool:
    """Whether torch sees a GPU; torch takes seconds to import and is asked only when needed."""
    import torch

    return torch.cuda.is_available()

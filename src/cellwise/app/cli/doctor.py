"""`cellwise doctor`: one pasteable block about this installation."""

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor", help="One pasteable block about this installation.")(doctor)


def doctor() -> None:
    """One pasteable block about this installation."""
    for name, value in diagnosis().items():
        print(f"{name:<14} {value}")


def diagnosis() -> dict[str, str]:
    """Versions, processor, GPU, memory, disk, and whether a temporary file can be written."""
    import os
    import platform
    import shutil
    import tempfile
    from importlib import metadata
    from pathlib import Path

    import torch

    from cellwise import __version__

    wanted = ("torch", "torchvision", "timm", "lightning", "numpy", "numba", "polars", "pyarrow")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in wanted)
    place = Path.cwd()
    free = shutil.disk_usage(place).free / 1e9
    with tempfile.TemporaryFile() as handle:
        handle.write(b"cellwise")
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"
    return {
        "cellwise": __version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "libraries": versions,
        "cores": str(os.cpu_count()),
        "gpu": gpu,
        "bf16 on cpu": "yes" if torch.cpu._is_avx512_bf16_supported() else "no",
        "disk": f"{free:.0f} GB free in {place}",
        "write test": "ok",
    }

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
    """Versions, readers of files, processor and its load, GPU, disk, whether a file is written."""
    import os
    import platform
    import shutil
    import tempfile
    from importlib import metadata
    from importlib.util import find_spec
    from pathlib import Path

    import torch

    from cellwise import __version__
    from cellwise.store.images.microscope_files import MAKERS, can_read
    from cellwise.store.objects.address import PACKAGES
    from cellwise.store.processor import look_at_processor

    wanted = ("torch", "torchvision", "timm", "lightning", "numpy", "numba", "polars", "pyarrow")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in wanted)
    place = Path.cwd()
    processor = look_at_processor()
    free = shutil.disk_usage(place).free / 1e9
    with tempfile.TemporaryFile() as handle:
        handle.write(b"cellwise")
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"
    readers = "; ".join(
        f"{ending} {metadata.version(maker.module)}"
        if can_read(ending)
        else f"{ending} no ({maker.remedy})"
        for ending, maker in MAKERS.items()
    )
    stores = "; ".join(
        f"{protocol}:// {metadata.version(package)}"
        if find_spec(package) is not None
        else f"{protocol}:// no (pip install 'cellwise[{protocol}]')"
        for protocol, package in PACKAGES.items()
    )
    return {
        "cellwise": __version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "libraries": versions,
        "microscopes": readers,
        "object stores": stores,
        "cores": f"{processor.cores} of {os.cpu_count()}",
        "load": "unknown" if processor.load is None else f"{processor.load:.2f}",
        "threads": f"{processor.threads} for a new training ({processor.why})",
        "threads wait": os.environ.get("OMP_WAIT_POLICY", "as their runtime does").lower(),
        "gpu": gpu,
        "bf16 on cpu": "yes" if torch.cpu._is_avx512_bf16_supported() else "no",
        "disk": f"{free:.0f} GB free in {place}",
        "write test": "ok",
    }

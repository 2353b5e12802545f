"""`cellwise models`: model files with their hashes, of a run or for segmenting."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cellwise.errors import FormatError, PreflightError

Run = Annotated[
    Path | None,
    typer.Argument(help="A run folder; without one, the weights that segmenters can use."),
]


def register(app: typer.Typer) -> None:
    """Add the verb with its sub-verbs."""
    group = typer.Typer(help="Model files with hashes.", no_args_is_help=True)
    group.command("list", help="The models of a run, or the weights for segmenting.")(list_models)
    group.command("verify", help="Compare models or weights with their recorded hashes.")(verify)
    group.command("path", help="Where they lie.")(path)
    group.command("convert", help="Published weights of the HPA networks, made safe.")(convert)
    app.add_typer(group, name="models")


def list_models(run: Run = None) -> None:
    """The models of a run; without one, the weights that segmenters find by name."""
    if run is None:
        _list_weights()
        return
    from cellwise.store.run.folder import read_json

    for folder in _folders(run):
        card = read_json(folder / "model.json")
        classes = ", ".join(card["classes"])
        print(f"{folder.parent.name}/{folder.name}  {card['sha256'][:12]}  {classes}")


def verify(run: Run = None) -> None:
    """Compare the models of a run, or all weights for segmenting, with their recorded hashes.

    Raises:
        FormatError: Some differ or cannot be read; each was named.
    """
    if run is None:
        from cellwise.store.network_weights import verify_network

        good = [_verified(file.stem, verify_network, file) for file in _weights()]
    else:
        from cellwise.store.run.models import verify_model

        good = [
            _verified(f"{folder.parent.name}/{folder.name}", verify_model, folder)
            for folder in _folders(run)
        ]
    if not all(good):
        raise FormatError(f"{good.count(False)} of {len(good)} cannot be used, as said above.")


def path(run: Run = None) -> None:
    """Where the models of a run lie, or the weights for segmenting."""
    for place in _weights() if run is None else _folders(run):
        print(place)


def convert(
    file: Annotated[Path, typer.Argument(help="A published file, such as dpn_unet_nuclei_v1.pth.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; else the user's folder, found by name."),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--name",
            help="dpn_unet_nuclei, dpn_unet_cell or dpn_unet_cell_2ch; else by the file's name.",
        ),
    ] = "",
) -> None:
    """Read a pickled HPA-Cell-Segmentation model without running it; write it as safetensors."""
    from cellwise.app.models.convert import checked_name
    from cellwise.app.models.convert import convert as convert_file
    from cellwise.store.network_weights import user_weights

    known = checked_name(name, file)
    target = out or user_weights() / f"{known}.safetensors"
    done = convert_file(file, target, known)
    print(f"{done.name}: {done.tensors} tensors in {target}")
    print(f"sha256 {done.sha256}")
    if not done.compared:
        print(
            "Names and shapes agree. The file has no layers, so their settings (activation, "
            "normalising constant, enlargement) are taken to be the published ones."
        )


def _list_weights() -> None:
    from cellwise.store.network_weights import network_digest, read_network_card

    for file in _weights():
        try:
            card = read_network_card(file)
        except FormatError as error:
            print(f"{file.stem}  not usable: {error}")
            continue
        roles = ", ".join(card.channels)
        print(f"{file.stem}  {network_digest(file)[:12]}  {card.net['name']}  {roles}  {file}")


def _verified(name: str, check: Callable[[Path], object], path: Path) -> bool:
    """Print whether a file is what was written, or why not."""
    try:
        check(path)
    except FormatError as error:
        print(f"{name}  not usable: {error}")
        return False
    print(f"{name}  ok")
    return True


def _weights() -> list[Path]:
    from cellwise.store.network_weights import list_networks, weight_folders

    found = list_networks()
    if not found:
        places = ", ".join(str(folder) for folder in weight_folders())
        raise PreflightError(f"There are no weights for segmenting in {places}.")
    return found


def _folders(run: Path) -> list[Path]:
    from cellwise.store.run.folder import RunFolder

    folders = sorted(p.parent for p in (RunFolder(run).path / "models").glob("*/*/model.json"))
    if not folders:
        raise PreflightError(f"{run} holds no models.")
    return folders

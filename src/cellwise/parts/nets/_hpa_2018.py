"""Weights of the winners of the HPA challenge of 2018 as the beginning of a network of today.

Their files hold a densenet under `backbone.`, each of its layers once more under a name of its own,
and a head for 28 classes: two normalisations (`bn1`, `bn2`), the embedding (`fc1`) and the logits
(`logit`). The head `embedding` of ours is the same, so its weights are taken as they are, and the
rows of its logits by the name of the class.

Source: bestfitting, CellProfiling/HPA-competition-solutions; the rows that have no namesake as in
the HPA 2021 system "Raman".
"""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cellwise.errors import BadOption, PreflightError

CLASSES = (
    "Nucleoplasm", "Nuclear membrane", "Nucleoli", "Nucleoli fibrillar center", "Nuclear speckles",
    "Nuclear bodies", "Endoplasmic reticulum", "Golgi apparatus", "Peroxisomes", "Endosomes",
    "Lysosomes", "Intermediate filaments", "Actin filaments", "Focal adhesion sites",
    "Microtubules", "Microtubule ends", "Cytokinetic bridge", "Mitotic spindle",
    "Microtubule organizing center", "Centrosome", "Lipid droplets", "Plasma membrane",
    "Cell junctions", "Mitochondria", "Aggresome", "Cytosol", "Cytoplasmic bodies", "Rods & rings",
)  # fmt: skip
# Classes of 2021 without a namesake, and the row that they begin with.
_INSTEAD = {
    "Vesicles and punctate cytosolic patterns": "Cytoplasmic bodies",
    "Negative": "Rods & rings",
}
_HEAD = {"bn1": "embed.0", "fc1": "embed.2", "bn2": "score.1", "logit": "score.3"}
_BACKBONE = "backbone."
# Layers of older torch: `norm.1` is `norm1` today.
_OLD = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def trunk_of(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the densenet by the names that timm gives them; others stay as they are."""
    inner = {key: value for key, value in weights.items() if key.startswith(_BACKBONE)}
    if not inner:
        return dict(weights)
    return {_OLD.sub(r"\1\2", key.removeprefix(_BACKBONE)): inner[key] for key in inner}


def rows_of(classes: Sequence[str]) -> list[int]:
    """For each class the row of the 28 that it begins with.

    Raises:
        BadOption: A class that has none.
    """
    names = [_INSTEAD.get(name, name) for name in classes]
    odd = [name for name in names if name not in CLASSES]
    if odd:
        raise BadOption(
            f"train: classifier hpa_2018 has no row for the class {odd[0]!r}; it has: "
            f"{', '.join(CLASSES)}. Leave train.classifier empty to begin with a new head."
        )
    return [CLASSES.index(name) for name in names]


def begin_head(net: nn.Module, weights: Mapping[str, Tensor], classes: Sequence[str]) -> None:
    """Put the head of such a file into a backbone with the head `embedding`, in place.

    Args:
        net: A backbone network.
        weights: Of the file.
        classes: What the network answers, in order.

    Raises:
        PreflightError: The file has no such head, or of another size.
        BadOption: The network has another head, or a class has no row.
    """
    rows = rows_of(classes)
    head = getattr(net, "head", None)
    wanted = {} if head is None else dict(head.state_dict())
    if not isinstance(head, nn.Module) or "embed.2.weight" not in wanted:
        raise BadOption("train: classifier hpa_2018 goes with the head 'embedding' of a backbone.")
    found: dict[str, Tensor] = {}
    for theirs, ours in _HEAD.items():
        for key in [key for key in wanted if key.startswith(f"{ours}.")]:
            word = key.removeprefix(f"{ours}.")
            value = weights.get(f"{theirs}.{word}")
            if value is None and word != "num_batches_tracked":
                raise PreflightError(
                    f"train: the file of net.pretrained has no {theirs}.{word}: it is not of the "
                    "winners of 2018. Leave train.classifier empty to begin with a new head."
                )
            if value is not None:
                found[key] = value[rows] if theirs == "logit" else value
    odd = [key for key, value in found.items() if value.shape != wanted[key].shape]
    if odd:
        raise PreflightError(
            f"train: the head of the file is of another size: {odd[0]} is "
            f"{tuple(found[odd[0]].shape)}, wanted {tuple(wanted[odd[0]].shape)}."
        )
    with torch.no_grad():
        head.load_state_dict({**wanted, **found})

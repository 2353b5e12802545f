"""What networks of tiles see of a whole site: the mean of their embeddings over all tiles."""

import numpy as np
import numpy.typing as npt
import torch

from cellwise.contracts.network import Asked
from cellwise.parts.panel import Chosen
from cellwise.parts.site_pixels import ForModel
from cellwise.parts.tiles import tiles_of


def embed_site(chosen: Chosen, shown: ForModel, *, batch: int) -> npt.NDArray[np.float32]:
    """`[1, number]`, the mean over the tiles of the site and the models that are asked.

    Args:
        chosen: The models.
        shown: What each of them sees of the site.
        batch: Tiles at a time; of no influence beyond rounding.
    """
    seen = []
    for model in chosen.models:
        pixels = shown(model)
        cut = tiles_of(pixels.field[None], pixels.tile)[0]
        parts = torch.split(cut, batch)
        some = [
            model.network(part, Asked.EMBEDDING, covariates=pixels.told).embedding for part in parts
        ]
        seen.append(torch.cat(some).mean(0))
    return np.asarray(torch.stack(seen).mean(0)[None].numpy())

"""One pass over the field for all its cells (mask-pooled features), then those in doubt alone.

The backbone sees the field once; the head then answers for each cell from the places of the map
that lie under its mask, as if these were an image of their own. Cells whose least sure class is
nearest to one half may then be shown alone (`masked_view`), as many as allowed.

Source: pooling of one map under many regions as in Fast R-CNN (Girshick 2015, arXiv 1504.08083);
first the cheap pass and then the costly one as in cascades (Viola and Jones 2001).
"""

import torch

from cellwise.contracts.scorer import Predictor, Scorer, SitePixels, Views
from cellwise.errors import BadOption
from cellwise.parts.places import coverage, places_of
from cellwise.parts.resize import resize
from cellwise.stages.score import masked_view

NEEDS = ("fields",)


def build(zoom: float = 1.0, doubtful: float = 0.0, place: str = "own", batch: int = 16) -> Scorer:
    """Make the scorer.

    Args:
        zoom: Size at which the field is seen, as a multiple of the size the network was trained
            at: a finer map tells neighbours apart better and costs its square.
        doubtful: Share of a field's cells, in 0..1, that get a closer pass.
        place: Where such a cell is shown; see `masked_view`.
        batch: Such cells at a time.
    """
    if not zoom > 0 or not 0 <= doubtful <= 1:
        raise BadOption("score shared_trunk: zoom is above 0, doubtful lies in 0..1.")
    closer = masked_view.build(place, batch=batch)

    def shared_trunk(predictor: Predictor, pixels: SitePixels) -> Views:
        height, width = (max(round(side * zoom), 1) for side in pixels.field.shape[1:])
        features = predictor.extract_features(resize(pixels.field[None], height, width))[0]
        covered = coverage(pixels.masks, pixels.numbers, features.shape[1], features.shape[2])
        flat = features.flatten(1)
        logits = torch.cat(
            [predictor.answer(flat[:, own].view(1, len(flat), 1, -1)) for own in places_of(covered)]
        )
        count = round(doubtful * len(logits))
        if count:
            chosen = logits.abs().amin(1).argsort(stable=True)[:count].sort().values
            some = SitePixels(pixels.crops, pixels.field, pixels.masks, pixels.numbers[chosen])
            logits[chosen] = closer.score(predictor, some)[0]
        return logits[None]

    return Scorer("site", shared_trunk)

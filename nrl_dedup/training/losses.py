"""What training minimises beside the binary cross-entropy (4.4) of the labelled pairs, or without labels."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

from nrl_dedup.embedding.network import SiameseModel

_NEVER = -1e9  # a logit for what must not count; finite, because 0 x inf is not a number


def in_batch_contrast(
    model: SiameseModel, h: Float[Tensor, "ads size"], groups: Int64[np.ndarray, "ads"]
) -> Float[Tensor, ""]:
    """How badly each ad's duplicates are separated from the other ads of a batch, by the head's own logits s.

        mean over a, p of one group of   -log( exp s(a, p) / (exp s(a, p) + sum over n of other groups exp s(a, n)) )

    (InfoNCE of van den Oord et al. 2018, with the positives of Khosla et al. 2020, one at a time.) Every ad of another
    group counts as different: two ads of a batch that nobody labelled are hardly ever the same thing. It is what the
    candidate search asks of the network: that an ad's nearest neighbours are its duplicates.

    :param groups: ads of one number are joined by duplicate pairs; of another number they count as different.
    :return: 0 where the batch has no duplicates.
    """
    left, right = np.triu_indices(len(groups), 1)
    duplicates = groups[left] == groups[right]
    if not duplicates.any() or duplicates.all():
        return h.sum() * 0.0
    rows, columns = torch.from_numpy(left).to(h.device), torch.from_numpy(right).to(h.device)
    logits = model.score(h.index_select(0, rows), h.index_select(0, columns))
    of = torch.from_numpy(groups).to(h.device)
    table = logits.new_full((len(h), len(h)), _NEVER)
    table = table.index_put((rows, columns), logits).index_put((columns, rows), logits)
    others = table.masked_fill(of[:, None] == of[None, :], _NEVER).logsumexp(dim=1)
    positives = torch.from_numpy(duplicates).to(h.device)
    found = logits[positives]
    both_ways = [
        torch.logaddexp(found, others[side[positives]]) - found for side in (rows, columns)
    ]
    return torch.cat(both_ways).mean()


def contrast_of_views(
    model: SiameseModel, one: Float[Tensor, "ads size"], other: Float[Tensor, "ads size"]
) -> Float[Tensor, ""]:
    """How hard it is to find each ad's other view among those of a batch, by the head's own logits s.

        mean over a of   -log( exp s(a, a') / sum over b of exp s(a, b') )

    and the same from a' to all a, the mean of the two (InfoNCE of van den Oord et al. 2018; both ways: Radford et al.
    2021). Ads that are the same thing, and that nobody said so of, count as different; a batch holds few of them.

    :param one: the embedding of one view of each ad; `other` of another view, in the same order.
    """
    logits = model.scores(one, other)
    own = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2

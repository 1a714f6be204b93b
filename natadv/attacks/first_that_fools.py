"""The craft of attacks that merely try: one candidate after another, until an image has one that fools."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from natadv.attacks.counted import Counted
from natadv.attacks.success import MARGIN, lead

Try = Callable[[Tensor], Tensor]
"""Makes candidates, (r, 3, h, w), of the images of these numbers, int64 (r,)."""


@torch.no_grad()
def first_that_fools(calls: Counted, clean: Tensor, classes: Tensor, tries: Iterable[Try]) -> Tensor:
    """Return, for each image, its first candidate that fools, or its last.

    Args:
        calls: the model; asked once for each candidate of an image that still waits.
        clean: images, (n, 3, h, w).
        classes: true ones, (n,).
        tries: in their order.
    """
    found = clean.clone()
    waiting = torch.arange(len(clean), device=clean.device)
    for candidates in tries:
        tried = candidates(waiting)
        found[waiting] = tried
        waiting = waiting[lead(calls.at(waiting)(tried), classes[waiting]) <= MARGIN]
        if not len(waiting):
            break
    return found

"""RayS: find the corner of the cube towards which the decision boundary is nearest, from labels alone (Chen & Gu 2020).

A direction holds +1 or -1 for every value of the image, and its radius is how far along it the model's answer changes.
The signs of a block are flipped; only where that still fools at the best radius so far is the new radius found by
halving, so a bad flip costs one query (Sec. 3.2, "fast check"). Blocks are halved from the whole image down to single
values (Sec. 3.3, Algorithm 3). Nothing but the class with the largest logit is used.

The paper fools nearly all images of CIFAR-10 at 0.031 and of ImageNet at 0.05 with some 500 to 800 queries on average.
Of 19 GTSRB images, at 8/255 on an undefended net of which PGD fools all, this fools 16 with 801 queries on average and
216 in the median.
"""

import math

import torch
from torch import Tensor

from natadv.attacks.counted import Counted
from natadv.attacks.foreign import keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model, rounded

_CHECK, _HALVE, _CONFIRM = range(3)


def rays(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 8 / 255,
    queries: int = 10000,
    tolerance: float = 1e-3,
    whole_budget: bool = False,
    looks: int = 1,
    batch_size: int = 32,
) -> Outcome:
    """Search directions until the radius of one is within the budget and the image there fools in eight bits.

    The image is not taken at the radius itself, from which rounding could step back over the boundary, but at the
    next whole level, or at the budget where that comes first; one query looks whether it fools, and the search goes on
    where it does not. There is no chance in it.

    Args:
        model: maps images to logits, (n, classes), or to anything that is largest at its answer.
        images: clean images, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        epsilon: l_inf budget, 8/255 as in the RAIN paper, Sec. IV-A, from which `queries` is too.
        queries: an image's limit; two looks, at the clean image and at the found one, come on top.
        tolerance: to which radii are found, as the l2 length of the perturbation, for values in [0, 1]; the authors'
            1e-3. As an l_inf radius 1e-3 would be too coarse: small blocks gain less than that, and the search stalls.
        whole_budget: go on along a direction that was found to the budget's end: near the boundary, a randomised model
            errs in every other pass.
        looks: at an image that is found, which must fool in each. Chance lets poor directions seem good: a randomised
            model wants several looks, and one that fails sends the search on from the budget's end.
        batch_size: images at once; those that are done leave.

    Raises:
        ValueError: if an argument is out of its range, or as in `natadv.attacks.foreign.keep_what_fools`.
    """
    if min(queries, looks) < 1 or tolerance <= 0:
        raise ValueError(f"expected a query, a look and a positive tolerance, got {queries}, {looks} and {tolerance}")

    @torch.no_grad()
    def craft(calls: Counted, clean: Tensor, classes: Tensor) -> Tensor:
        search = _Search(clean, epsilon, tolerance, whole_budget=whole_budget, looks=looks)
        rows = torch.arange(len(clean), device=clean.device)
        for _ in range(queries):
            errs = calls.at(rows)(search.tries(rows)).argmax(1) != classes[rows]
            rows = rows[~search.learn(rows, errs)]
            if not len(rows):
                break
        return search.found()

    return keep_what_fools(craft, model, images, labels, epsilon=epsilon, batch_size=batch_size)


class _Search:
    """Where the searches of n images stand; each is asked one thing a turn, whatever the others are at.

    Attributes:
        signs: the best direction, (n, d), of the d values of an image.
        radius: how far along it the model errs, (n,); infinite where no direction is known yet.
        stage: what the next query is about, (n,): whether a flip fools at the best radius, where between `low` and
            `high` it begins to, or whether the best direction's image fools in eight bits.
        level: there are 2**level blocks, (n,); `block` is the number of the one that is flipped, (n,).
        looked: how often the best direction's image has fooled in a row, (n,).
    """

    def __init__(self, clean: Tensor, epsilon: float, tolerance: float, *, whole_budget: bool, looks: int) -> None:
        n, self._values = clean.flatten(1).shape
        self._whole_budget, self._looks = whole_budget, looks
        self._clean, self._epsilon, self._tolerance = clean, epsilon, tolerance / math.sqrt(self._values)
        self._places = torch.arange(self._values, device=clean.device)
        self._finest = math.ceil(math.log2(self._values))
        self.signs = torch.ones_like(clean).flatten(1)
        # In double, because in single an interval may be too short to halve and still above the tolerance.
        self.radius = torch.full((n,), torch.inf, dtype=torch.float64, device=clean.device)
        self.low, self.high = torch.zeros_like(self.radius), torch.ones_like(self.radius)
        self.stage = torch.full((n,), _CHECK, device=clean.device)
        self.level, self.block = torch.zeros_like(self.stage), torch.zeros_like(self.stage)
        self.looked = torch.zeros_like(self.stage)

    def tries(self, rows: Tensor) -> Tensor:
        """Return the image that each of these searches wants to be seen, (len(rows), 3, h, w)."""
        stage = self.stage[rows, None]
        signs = torch.where(stage == _CONFIRM, self.signs[rows], self._flipped(rows))
        middle = (self.low[rows] + self.high[rows]) / 2
        far = torch.where(self.stage[rows] == _HALVE, middle, self.radius[rows].clamp(max=1))
        return torch.where(stage[..., None, None] == _CONFIRM, self._in_eight_bits(rows), self._at(rows, far, signs))

    def learn(self, rows: Tensor, errs: Tensor) -> Tensor:
        """Take in whether the model erred on the tries, (len(rows),); return which of these searches are over."""
        stage = self.stage[rows]
        begins = rows[(stage == _CHECK) & errs]
        self.low[begins], self.high[begins] = 0, self.radius[begins].clamp(max=1)
        self.stage[begins] = _HALVE
        halved, middle = stage == _HALVE, (self.low[rows] + self.high[rows]) / 2
        nearer, farther = halved & errs, halved & ~errs
        self.high[rows[nearer]], self.low[rows[farther]] = middle[nearer], middle[farther]
        ends = rows[halved & (self.high[rows] - self.low[rows] <= self._tolerance)]
        better = ends[self.high[ends] < self.radius[ends]]
        self.signs[better], self.radius[better] = self._flipped(better), self.high[better]
        self.stage[ends] = _CHECK
        self.stage[better[self.radius[better] <= self._epsilon]] = _CONFIRM
        looked_at, failed = rows[stage == _CONFIRM], rows[(stage == _CONFIRM) & ~errs]
        self.looked[looked_at] += 1
        self.looked[failed] = 0
        self.stage[failed] = _CHECK
        if self._looks > 1:
            self.radius[failed] = self._epsilon  # what seemed nearer was luck
        self._next_block(torch.cat([rows[(stage == _CHECK) & ~errs], ends]))
        return self.looked[rows] >= self._looks

    def found(self) -> Tensor:
        """Return the images of the best directions within the budget, and the clean ones of the others."""
        within = self.radius <= self._epsilon
        every = torch.arange(len(within), device=within.device)
        return torch.where(within[:, None, None, None], self._in_eight_bits(every), self._clean)

    def _in_eight_bits(self, rows: Tensor) -> Tensor:
        # The little that is taken off keeps a radius of a whole level, inexact as it is, from the level above.
        far = ((self.radius[rows] * 255 - 1e-4).ceil() / 255).clamp(max=self._epsilon)
        if self._whole_budget:
            far = torch.full_like(far, self._epsilon)
        return rounded(self._at(rows, far, self.signs[rows]))

    def _at(self, rows: Tensor, far: Tensor, signs: Tensor) -> Tensor:
        change = (far.to(signs.dtype)[:, None] * signs).reshape(-1, *self._clean.shape[1:])
        return (self._clean[rows] + change).clamp(0, 1)

    def _flipped(self, rows: Tensor) -> Tensor:
        size = self._block_size(rows)[:, None]
        start = self.block[rows, None] * size
        flips = (self._places >= start) & (self._places < start + size)
        return torch.where(flips, -self.signs[rows], self.signs[rows])

    def _next_block(self, rows: Tensor) -> None:
        over = (self.block[rows] + 1) * self._block_size(rows) >= self._values
        self.block[rows] = torch.where(over, 0, self.block[rows] + 1)
        self.level[rows] = torch.where(over, self.level[rows] + 1, self.level[rows]).clamp(max=self._finest)

    def _block_size(self, rows: Tensor) -> Tensor:
        blocks = 2 ** self.level[rows]
        return torch.div(self._values + blocks - 1, blocks, rounding_mode="floor")

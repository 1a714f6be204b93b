"""Colour shift: other colours, the same shapes (Hosseini and Poovendran 2018, "Semantic adversarial examples").

All pixels of an image get the same shift of hue, any, and of saturation, the larger the later the trial; their value,
the largest of the three channels, stays. The attack asks for answers alone and stops at the first that is wrong.

After the paper and its authors' published code: saturation is cut off at 0 and 1; the first trial leaves it alone. A
grey pixel has hue 0 and so takes on colour where saturation grows. Ours: results count in eight bits, and the
shifts are those of the image and the seed, whatever else is attacked with it.

With 100 trials it fools a MobileNet v2 on 14 of 19 images of NIPS-2017, and on 17 with another seed.
"""

import hashlib

import torch
from torch import Tensor

from natadv.attacks.counted import Counted
from natadv.attacks.first_that_fools import first_that_fools
from natadv.attacks.foreign import keep_what_fools
from natadv.attacks.hsv import hsv_to_rgb, rgb_to_hsv
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model, rounded


def hsv_shift(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    trials: int = 1000,
    seed: int = 0,
    batch_size: int = 32,
) -> Outcome:
    """Try up to `trials` shifts of hue and saturation on each image, one query each.

    In trial i of N, counted from 0, the hue goes round by a uniform share of the circle and the saturation changes by
    uniform(-i / N, i / N). There is no bound in RGB. Other arguments, and what they raise, are as in
    `natadv.attacks.foreign.keep_what_fools`.

    Raises:
        ValueError: if `trials` is not positive.
    """
    if trials < 1:
        raise ValueError(f"expected trials of at least 1, got {trials}")

    def craft(calls: Counted, clean: Tensor, classes: Tensor) -> Tensor:
        colours = rgb_to_hsv(clean)
        shifts = torch.stack([shifts_of(image, trials, seed) for image in clean]).to(clean)
        tries = (lambda rows, i=i: shifted(colours[rows], shifts[rows, i]) for i in range(trials))
        return first_that_fools(calls, clean, classes, tries)

    return keep_what_fools(craft, model, images, labels, epsilon=None, seed=seed, batch_size=batch_size)


def shifted(colours: Tensor, shifts: Tensor) -> Tensor:
    """Return RGB images in eight bits, of HSV ones, (n, 3, h, w), whose hue and saturation move by `shifts`, (n, 2)."""
    hue, saturation, value = colours.unbind(1)
    turned = hue + shifts[:, 0, None, None]
    washed = (saturation + shifts[:, 1, None, None]).clamp(0, 1)
    return rounded(hsv_to_rgb(torch.stack([turned, washed, value], 1)))


def shifts_of(image: Tensor, trials: int, seed: int) -> Tensor:
    """Return the shifts of hue and saturation, float64 (trials, 2), to be tried on an image of eight-bit values.

    They are drawn on the CPU by a generator that is seeded by `seed` and the image's bytes: an image meets the same
    ones alone, in any batch and on any device.
    """
    pixels = (image * 255).round().to("cpu", torch.uint8)
    digest = hashlib.sha256(f"{seed} ".encode() + pixels.numpy().tobytes()).digest()
    chance = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    drawn = torch.rand(trials, 2, generator=chance, dtype=torch.float64)
    reach = torch.arange(trials, dtype=torch.float64) / trials
    return torch.stack([drawn[:, 0], (2 * drawn[:, 1] - 1) * reach], 1)

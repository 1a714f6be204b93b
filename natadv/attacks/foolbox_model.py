"""Foolbox's minimal attacks, shown a model as their results will be judged.

An attack that looks for the smallest change stops just beyond the boundary, and rounding its floats to the 8 bits of a
file takes most or all of them back: on a trained net not one result of DeepFool was left. So the library sees each
image as its 8-bit form, while its gradient passes as if nothing had been rounded, and an image's true class leads by a
little more than it does. What the library then holds to be adversarial is so by natadv.attacks.success.
"""

import warnings

import torch
from torch import Tensor, nn

from natadv.attacks.counted import Counted
from natadv.attacks.foreign import Craft
from natadv.attacks.success import MARGIN, held

with warnings.catch_warnings():
    # Foolbox 3.3.4 takes gaussian_filter from a place that SciPy is about to close.
    warnings.filterwarnings("ignore", "Please import `gaussian_filter`", DeprecationWarning)
    import foolbox

__all__ = ["JudgedModel", "craft_by", "foolbox"]


class JudgedModel(nn.Module):
    """A counted model as foolbox takes one; a lead in it is a lead by more than rounding errors, in eight bits."""

    def __init__(self, calls: Counted, classes: Tensor) -> None:
        super().__init__()
        self._calls = calls
        self._classes = classes[:, None]
        self.eval()

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits, (n, classes), of the images that `batch`, (n, 3, h, w), would be in a file.

        EAD looks ahead past [0, 1]; the model is shown what is within.
        """
        logits = self._calls(held(batch))
        # Twice the margin: an image at the margin itself may be on its other side when it is looked at again.
        return logits.scatter_add(1, self._classes, torch.full_like(logits[:, :1], 2 * MARGIN))


def craft_by(
    attack: "foolbox.attacks.base.MinimizationAttack",
    *,
    epsilon: float | None,
    judged: type[JudgedModel] = JudgedModel,
) -> Craft:
    """Return how `attack` crafts images, for `natadv.attacks.foreign.keep_what_fools`.

    Where it finds nothing the clean image is returned, not the library's black one, which might fool by being black.
    A change beyond `epsilon` is clipped to it value by value; whether the rest still fools is for the judge to say.
    """

    def craft(calls: Counted, clean: Tensor, classes: Tensor) -> Tensor:
        bridge = foolbox.PyTorchModel(judged(calls, classes), bounds=(0, 1), device=clean.device)
        found = attack.run(bridge, clean, classes)
        # Called as a function, the library would ask about the black images and take one that fools for a find.
        failed = (found == 0).flatten(1).all(1)
        change = torch.where(failed[:, None, None, None], 0, found - clean)
        return clean + (change if epsilon is None else change.clamp(-epsilon, epsilon))

    return craft

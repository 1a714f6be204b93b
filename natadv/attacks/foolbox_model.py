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
from natadv.attacks.success import MARGIN, held, lead

with warnings.catch_warnings():
    # Foolbox 3.3.4 takes gaussian_filter from a place that SciPy is about to close.
    warnings.filterwarnings("ignore", "Please import `gaussian_filter`", DeprecationWarning)
    import foolbox

__all__ = ["JudgedModel", "craft_by", "foolbox"]


class JudgedModel(nn.Module):
    """A counted model as foolbox takes one; a lead in it is a lead by more than rounding errors, in eight bits."""

    def __init__(self, calls: Counted, classes: Tensor, remembers: Tensor | None = None) -> None:
        """Take what is asked.

        Args:
            calls: the model.
            classes: true classes, (n,).
            remembers: clean images, (n, 3, h, w), to remember for each the form of it in which a wrong class led most;
                None to remember none.
        """
        super().__init__()
        self._calls = calls
        self._classes = classes[:, None]
        self.most_led = remembers
        self._most = torch.full(classes.shape, -torch.inf, device=classes.device)
        self.eval()

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits, (n, classes), of the images that `batch`, (n, 3, h, w), would be in a file.

        EAD looks ahead past [0, 1]; the model is shown what is within.
        """
        shown = held(batch)
        logits = self._calls(shown)
        if self.most_led is not None:
            ahead = lead(logits, self._classes[:, 0])
            more = ahead > self._most
            self._most = torch.where(more, ahead, self._most)
            self.most_led = torch.where(more[:, None, None, None], shown.detach(), self.most_led)
        # Twice the margin: an image at the margin itself may be on its other side when it is looked at again.
        return logits.scatter_add(1, self._classes, torch.full_like(logits[:, :1], 2 * MARGIN))


def craft_by(
    attack: "foolbox.attacks.base.MinimizationAttack",
    *,
    epsilon: float | None,
    judged: type[JudgedModel] = JudgedModel,
    confident: bool = False,
) -> Craft:
    """Return how `attack` crafts images, for `natadv.attacks.foreign.keep_what_fools`.

    Where it finds nothing the clean image is returned, not the library's black one, which might fool by being black.
    Where it was asked for a lead, the one of its images that led most is: to find less than was asked for is no
    robustness. A change beyond `epsilon` is clipped to it value by value; whether the rest still fools is for the
    judge to say.

    Args:
        attack: of the library.
        epsilon: l_inf bound; None for none.
        judged: the model as the attack is to see it.
        confident: whether it was asked for a lead.
    """

    def craft(calls: Counted, clean: Tensor, classes: Tensor) -> Tensor:
        asked = judged(calls, classes, clean if confident else None)
        found = attack.run(foolbox.PyTorchModel(asked, bounds=(0, 1), device=clean.device), clean, classes)
        # Called as a function, the library would ask about the black images and take one that fools for a find.
        failed = (found == 0).flatten(1).all(1)
        nearest = clean if asked.most_led is None else asked.most_led
        change = torch.where(failed[:, None, None, None], nearest, found) - clean
        return clean + (change if epsilon is None else change.clamp(-epsilon, epsilon))

    return craft

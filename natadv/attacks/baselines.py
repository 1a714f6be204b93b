"""The conventional attacks that raindrops are compared with, by the names that papers give them."""

from collections.abc import Callable, Mapping

from natadv.attacks.library import bim, dim, fgsm, mim, pgd
from natadv.attacks.nim import nim
from natadv.attacks.outcome import Outcome
from natadv.attacks.tim import tim

BASELINES: Mapping[str, Callable[..., Outcome]] = {
    "FGSM": fgsm,
    "BIM": bim,
    "MIM": mim,
    "DIM": dim,
    "TIM": tim,
    "NIM": nim,
    "PGD": pgd,
}

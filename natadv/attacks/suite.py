"""The suite: attacks by name, each at the settings of the RAIN paper (Du et al. 2021, Sec. IV-A) where it uses it.

What the paper leaves open is a library's default or the attack's own paper's. All numbers are in 0..1 and steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Literal

from torch import Tensor, nn

from natadv.attacks.outcome import Outcome
from natadv.attacks.stand_in import Expectation, StraightThrough
from natadv.defenses.defended import Defended
from natadv.errors import ConfigError

Uses = Literal["gradients", "scores", "labels"]
"""What of a model's answer an attack needs."""

BUDGET = 8 / 255


@dataclass(frozen=True)
class Setting:
    """An attack at its settings.

    Attributes:
        name: what reports call it.
        attack: where its function is, "module.function" of natadv.attacks; the libraries take seconds to import, so
            that happens when it runs.
        options: its keyword arguments.
        uses: what it asks of the model.
        samples: passes that an adaptive attack averages for one gradient; 0 for the plain attack.
        seeded: whether it takes a seed.
    """

    name: str
    attack: str
    options: Mapping[str, Any] = field(default_factory=dict)
    uses: Uses = "gradients"
    samples: int = 0
    seeded: bool = False

    @property
    def epsilon(self) -> float | None:
        """The l_inf budget; None where there is none."""
        found = self.options.get("epsilon")
        return None if found is None else float(found)

    def described(self) -> dict[str, Any]:
        """Return all that decides what the attack does, as plain values."""
        return {
            "attack": self.attack,
            "options": {name: self.options[name] for name in sorted(self.options)},
            "samples": self.samples,
        }

    def averaged(self, samples: int) -> "Setting":
        """Return the adaptive attack that averages so many passes for each gradient (EoT)."""
        return replace(self, name=f"eot-{self.name}", samples=samples)

    def __call__(
        self, model: nn.Module, images: Tensor, labels: Tensor, *, seed: int = 0, batch_size: int = 32
    ) -> Outcome:
        """Attack a model; a defence without gradients of its own is gone round (BPDA).

        Args:
            model: in eval mode.
            images: clean, (n, 3, h, w), RGB in [0, 1].
            labels: true classes, (n,).
            seed: of all chance in the attack.
            batch_size: images at once; fewer where several passes are averaged.
        """
        options = dict(self.options)
        if self.seeded:
            options["seed"] = seed
        if self.uses == "gradients":
            stand_in = model
            if isinstance(model, Defended) and not model.differentiable:
                stand_in = StraightThrough(model)
            if self.samples:
                stand_in = Expectation(stand_in, self.samples)
                batch_size = max(1, batch_size // self.samples)
            options["surrogate"] = None if stand_in is model else stand_in
        module, name = self.attack.split(".")
        function = getattr(import_module(f"natadv.attacks.{module}"), name)
        return function(model, images, labels, batch_size=batch_size, **options)


_ITERATED = {"epsilon": BUDGET, "steps": 40, "step_size": 2 / 255}
_SHORT = {"epsilon": BUDGET, "steps": 10, "step_size": 2 / 255}

SUITE: Mapping[str, Setting] = {
    one.name: one
    for one in (
        Setting("fgsm", "library.fgsm", {"epsilon": BUDGET}),
        Setting("bim", "library.bim", _ITERATED),
        Setting("pgd", "library.pgd", _ITERATED, seeded=True),
        Setting("mim", "library.mim", _ITERATED),
        Setting("dim", "library.dim", _ITERATED, seeded=True),
        Setting("tim", "tim.tim", _ITERATED),
        Setting("nim", "nim.nim", _ITERATED),
        Setting("cw", "carlini_wagner.carlini_wagner"),
        Setting("deepfool", "deepfool.deepfool", {"epsilon": BUDGET}),
        Setting("ead", "ead.ead"),
        Setting("advdrop", "advdrop.advdrop"),
        Setting("nes", "nes.nes", {"epsilon": BUDGET}, "scores", seeded=True),
        Setting("zoo", "zoo.zoo", {"epsilon": BUDGET}, "scores", seeded=True),
        Setting("rays", "rays.rays", {"epsilon": BUDGET}, "labels"),
        Setting("hsv", "hsv_shift.hsv_shift", {}, "labels", seeded=True),
        Setting("ni+", "noise_patterns.noise_plus", {}, "labels"),
        Setting("ni-", "noise_patterns.noise_minus", {}, "labels"),
        # Sec. IV-A.4: PGD-1 is 40 steps of 40 passes each, PGD-2 10 of 10.
        Setting("eot-fgsm", "library.fgsm", {"epsilon": BUDGET}, samples=40),
        Setting("eot-pgd-1", "library.pgd", _ITERATED, samples=40, seeded=True),
        Setting("eot-pgd-2", "library.pgd", _SHORT, samples=10, seeded=True),
        Setting("eot-cw", "carlini_wagner.carlini_wagner", samples=40),
    )
}
"""All attacks by name."""


def setting(name: str) -> Setting:
    """Return an attack by name.

    Raises:
        ConfigError: if there is no such attack.
    """
    if name not in SUITE:
        raise ConfigError(f"attack {name!r}: expected one of {', '.join(SUITE)}")
    return SUITE[name]

"""The suite: attacks by name, each at the settings of the RAIN paper (Du et al. 2021, Sec. IV-A) where it uses it.

What the paper leaves open is a library's default or the attack's own paper's. All numbers are in 0..1 and steps.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.metadata import version
from typing import Any, Literal

import torch
from torch import Tensor, nn

from natadv.attacks.outcome import Outcome
from natadv.attacks.stand_in import Expectation, StraightThrough
from natadv.attacks.success import MARGIN, lead, rounded
from natadv.defenses.defended import Defended
from natadv.errors import ConfigError
from natadv.source_digest import source_digest

Uses = Literal["gradients", "scores", "labels"]
"""What of a model's answer an attack needs."""

BUDGET = 8 / 255

_NOT_SETTINGS = ("surrogate", "targets", "seed", "batch_size")
_LEADS = 2.0
_SPREAD_PASSES, _SPREAD_IMAGES = 8, 32


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
        adapts: the plain attack whose adaptive form it is.
        stops: whether it ends where what it is shown is just fooled: on the boundary of a mean, which the next pass is
            as likely as not to get right.
        confident: whether it can be asked for a lead beyond that boundary.
        lead: that lead, in spreads of the lead between passes; 0 for none.
        adapted: what more its adaptive form is given.
        lone: whether it ends when all images of a batch fool at once, which a randomised model seldom lets happen.
        square: whether it takes square images alone.
    """

    name: str
    attack: str
    options: Mapping[str, Any] = field(default_factory=dict)
    uses: Uses = "gradients"
    samples: int = 0
    seeded: bool = False
    adapts: str = ""
    stops: bool = False
    confident: bool = False
    lead: float = 0.0
    adapted: Mapping[str, Any] = field(default_factory=dict)
    lone: bool = False
    square: bool = False

    def check(self, size: tuple[int, int]) -> None:
        """Refuse images of a size, (height, width) px, that the attack does not take.

        Raises:
            ConfigError: if it does not.
        """
        if self.square and size[0] != size[1]:
            raise ConfigError(f"attack {self.name}: takes square images alone, these are {size[1]}x{size[0]} px")

    @property
    def epsilon(self) -> float | None:
        """The l_inf budget; None where there is none."""
        found = self.options.get("epsilon")
        return None if found is None else float(found)

    def described(self) -> dict[str, Any]:
        """Return all that decides what the attack does, as plain values: its defaults and its library too."""
        options = self.all_options()
        return {
            "attack": self.attack,
            "options": {name: repr(options[name]) for name in sorted(options)},
            "samples": self.samples,
            "lead": self.lead,
            "libraries": {name: version(name) for name in ("torch", "torchattack", "foolbox")},
            "code": source_digest(f"natadv.attacks.{self.attack.split('.')[0]}", "natadv.attacks.stand_in"),
        }

    def all_options(self) -> dict[str, Any]:
        """Return its keyword arguments, the defaults too, but for seed, batch size and models."""
        return {
            name: parameter.default
            for name, parameter in inspect.signature(self._function()).parameters.items()
            if parameter.default is not parameter.empty and name not in _NOT_SETTINGS
        } | dict(self.options)

    def averaged(self, samples: int) -> "Setting":
        """Return the adaptive attack: it asks for the mean of so many passes (EoT), whatever it asks for.

        An attack that looks for the smallest change would end on the boundary of that mean, where every other pass
        is right again: so it wants a lead besides, twice the spread of the lead between passes.
        """
        options = {**self.options, **self.adapted}
        name, lead = (f"eot-{self.name}-sure", _LEADS) if self.confident else (f"eot-{self.name}", 0.0)
        stops = self.stops and not options.get("whole_budget", False)
        return replace(self, name=name, adapts=self.name, samples=samples, options=options, lead=lead, stops=stops)

    def within(self, queries: int | None) -> "Setting":
        """Return the attack with another limit of queries an image; itself for None, or where it has no such limit."""
        if queries is None or "queries" not in self.all_options():
            return self
        return replace(self, options={**self.options, "queries": queries})

    def _function(self) -> Callable[..., Outcome]:
        module, name = self.attack.split(".")
        return getattr(import_module(f"natadv.attacks.{module}"), name)

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
        if self.lone and getattr(model, "randomised", False):
            batch_size = 1
        if self.uses != "gradients":
            return self._asking(model, images, labels, options, batch_size)
        stand_in = model
        if isinstance(model, Defended) and not model.differentiable:
            stand_in = StraightThrough(model)
        if self.samples:
            stand_in = Expectation(stand_in, self.samples)
            batch_size = max(1, batch_size // self.samples)
        if self.lead:
            options["confidence"] = self.lead * lead_spread(model, images, labels)
        options["surrogate"] = None if stand_in is model else stand_in
        found = self._function()(model, images, labels, batch_size=batch_size, **options)
        if self.lead:
            found.queries[:_SPREAD_IMAGES] += _SPREAD_PASSES
        return found

    def _asking(
        self, model: nn.Module, images: Tensor, labels: Tensor, options: dict[str, Any], batch_size: int
    ) -> Outcome:
        """Attack without gradients; where passes are averaged, the mean is asked, as often as the plain attack asks."""
        function = self._function()
        if not self.samples:
            return function(model, images, labels, batch_size=batch_size, **options)
        mean = Expectation(model, self.samples)
        found = function(mean, images, labels, batch_size=max(1, batch_size // self.samples), **options)
        tried = found.images
        with torch.no_grad():
            fooled = torch.cat(
                [
                    lead(model(some), true) > MARGIN
                    for some, true in zip(tried.split(batch_size), labels.split(batch_size), strict=True)
                ]
            )
        kept = torch.where(fooled[:, None, None, None], tried, rounded(images))
        return Outcome(kept, fooled, self.samples * found.queries + 1, found.gradients)


def settings_of(attack: Setting) -> str:
    """Return an attack's settings as one line: its own and its function's defaults."""
    parts = []
    for name, value in attack.all_options().items():
        if value is None or value is False:
            continue
        levels = name in ("epsilon", "step_size") and isinstance(value, float) and value < 1
        parts.append(f"{name.replace('_', ' ')} {f'{255 * value:.3g}/255' if levels else value}")
    if attack.samples:
        parts.append(f"mean of {attack.samples} passes")
    if attack.lead:
        parts.append(f"a lead of {attack.lead:g} spreads")
    return ", ".join(parts) or "none"


@torch.no_grad()
def lead_spread(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return how much the lead of the best wrong class differs between passes of a randomised model: its median spread.

    Args:
        model: in eval mode; it is asked eight times about each of the first 32 images.
        images: (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
    """
    some, true = images[:_SPREAD_IMAGES], labels[:_SPREAD_IMAGES]
    leads = torch.stack([lead(model(some), true) for _ in range(_SPREAD_PASSES)])
    return float(leads.std(0).median())


_ITERATED = {"epsilon": BUDGET, "steps": 40, "step_size": 2 / 255}
_LOOKS = {"whole_budget": True, "looks": 8}
_SHORT = {"epsilon": BUDGET, "steps": 10, "step_size": 2 / 255}

SUITE: Mapping[str, Setting] = {
    one.name: one
    for one in (
        Setting("fgsm", "library.fgsm", {"epsilon": BUDGET}),
        Setting("bim", "library.bim", _ITERATED),
        Setting("pgd", "library.pgd", _ITERATED, seeded=True),
        Setting("pgd-margin", "pgd_margin.pgd_margin", _ITERATED, seeded=True),
        Setting("mim", "library.mim", _ITERATED),
        Setting("dim", "library.dim", _ITERATED, seeded=True, square=True),
        Setting("tim", "tim.tim", _ITERATED),
        # Its paper's ten steps: momentum grows, and after 40 of 2/255 its look ahead lies far beyond the bound.
        Setting("nim", "nim.nim", {"epsilon": BUDGET}),
        Setting("cw", "carlini_wagner.carlini_wagner", stops=True, confident=True),
        Setting("deepfool", "deepfool.deepfool", {"epsilon": BUDGET}, stops=True, lone=True),
        Setting("ead", "ead.ead", stops=True, confident=True),
        Setting("advdrop", "advdrop.advdrop", stops=True),
        Setting("nes", "nes.nes", {"epsilon": BUDGET}, "scores", seeded=True, stops=True),
        Setting("zoo", "zoo.zoo", {"epsilon": BUDGET}, "scores", seeded=True, stops=True),
        Setting("rays", "rays.rays", {"epsilon": BUDGET}, "labels", stops=True, adapted=_LOOKS),
        Setting("hsv", "hsv_shift.hsv_shift", {}, "labels", seeded=True, stops=True),
        Setting("ni+", "noise_patterns.noise_plus", {}, "labels", stops=True),
        Setting("ni-", "noise_patterns.noise_minus", {}, "labels", stops=True),
        # Sec. IV-A.4: PGD-1 is 40 steps of 40 passes each, PGD-2 10 of 10.
        Setting("eot-fgsm", "library.fgsm", {"epsilon": BUDGET}, samples=40, adapts="fgsm"),
        Setting("eot-pgd-1", "library.pgd", _ITERATED, samples=40, seeded=True, adapts="pgd"),
        Setting("eot-pgd-2", "library.pgd", _SHORT, samples=10, seeded=True, adapts="pgd"),
        Setting("eot-cw", "carlini_wagner.carlini_wagner", samples=40, adapts="cw", stops=True),
        # Ours: nothing that was tried with as many passes does more to RAIN.
        Setting("eot-pgd-margin", "pgd_margin.pgd_margin", _ITERATED, samples=10, seeded=True, adapts="pgd-margin"),
        # Ours: the paper's C&W ends on the boundary of the mean, where the next pass is as likely right as wrong.
        Setting("eot-cw-sure", "carlini_wagner.carlini_wagner", samples=10, adapts="cw", stops=True, lead=_LEADS),
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


def check_queries(queries: int | None, names: Iterable[str]) -> None:
    """Refuse a limit of queries that no attack asked for has.

    Raises:
        ConfigError: if there is a limit and none of the named attacks has one, or there is no such attack.
    """
    if queries is not None and all(setting(name).within(queries) is setting(name) for name in names):
        limited = ", ".join(name for name, one in SUITE.items() if one.within(queries) is not one)
        raise ConfigError(f"--queries {queries}: no attack asked for has such a limit; {limited} have")

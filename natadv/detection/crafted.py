"""Kinds that are made of a bank's own sources: the clean ones, those that an attack makes, and rain by chance.

The artificial and semantic kinds are those of Agarwal et al. 2022, Sec. 3, with C&W and AdvDrop beside; the settings
are the robustness bench's, but for the noise patterns (see `_SCALES`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from natadv.attacks.advrd import advrd
from natadv.attacks.noise_patterns import SCALES
from natadv.attacks.outcome import Outcome
from natadv.attacks.starts import natural_codes
from natadv.attacks.success import Model
from natadv.attacks.suite import Setting, setting
from natadv.backdoors.rdba import Rdba
from natadv.batches import to_batch, to_images
from natadv.detection.banked import CLEAN, Family
from natadv.detection.kin import Part
from natadv.detection.made import Block, Made
from natadv.detection.sources import Sources
from natadv.detection.tries import Rain, natural_tries
from natadv.errors import ConfigError
from natadv.images import Image
from natadv.raindrops.photograph import RandomGlass
from natadv.source_digest import source_digest
from natadv.training.evaluate import answers
from natadv.training.generators import OPTICS, open_generator
from natadv.training.kept_outcomes import kept_outcome

SUITE: Mapping[str, Family] = {
    "fgsm": "artificial",
    "pgd": "artificial",
    "deepfool": "artificial",
    "advdrop": "artificial",
    "cw": "artificial",
    "ni+": "semantic",
    "ni-": "semantic",
    "hsv": "semantic",
}
"""Kinds that the attack suite has, with their families."""

RAIN = ("advrd", "rendered", "rdba")
"""Natural kinds that are made of a bank's sources."""

CRAFTED = (*SUITE, *RAIN)

_BLOCK = 32
_SCALES = (*SCALES, 6.0, 8.0, 12.0, 16.0)
"""Of NI+ and NI-, up to four times the bench's: noise is weak in images as small as signs."""

_PLATES, _TRIES, _RESTARTS, _STEPS = 24, 10, 8, 10

Attack = Callable[[Model, Tensor, Tensor, NDArray[np.int64]], Outcome]
"""Attacks images, (n, 3, h, w), of classes, (n,), that are these of the sources, (n,)."""


@dataclass(frozen=True)
class Crafted:
    """A maker that attacks sources, block by block; what was done is kept.

    Attributes:
        family: of the kind.
        settings: of the attack.
        sources: to be attacked.
        attack: what is done to them; the clean kind is made by one that leaves them alone.
        kept: folder of outcomes.
        clean: whether images belong in the bank that the model still gets right, instead of those that fool it.
    """

    family: Family
    settings: Mapping[str, Any]
    sources: Sources
    attack: Attack
    kept: Path
    clean: bool = False

    def blocks(self, part: Part) -> Iterator[Block]:
        """Attack the sources of a part, 32 at a time.

        Raises:
            DataError: if a kept outcome is damaged, or cannot be written.
            ResourceError: if the disk is full.
        """
        order = self.sources.order[part]
        for start in range(0, len(order), _BLOCK):
            yield self._block(order[start : start + _BLOCK])

    def _block(self, places: NDArray[np.int64]) -> Block:
        sources, model = self.sources, self.sources.victim.model
        device = torch.device(sources.device)
        clean = to_batch(sources.images[places], device).contiguous()
        labels = torch.from_numpy(sources.targets[places]).to(device)
        outcome = kept_outcome(
            self.kept,
            {"kind": dict(self.settings), "model": sources.victim.described},
            lambda images, targets, _: self.attack(model, images, targets, places),
            clean,
            labels,
            block=_BLOCK,
        )
        pictures = to_images(outcome.images)
        said = answers(model, pictures, device, batch_size=_BLOCK)
        made = [
            Made(sources.keys[place], sources.names[sources.targets[place]], sources.names[answer], picture)
            for place, answer, picture, fooled in zip(places, said, pictures, outcome.fooled.tolist(), strict=True)
            if (answer == sources.targets[place] if self.clean else fooled and answer != sources.targets[place])
        ]
        return Block(len(places), tuple(made))


def crafted(name: str, sources: Sources, kept: Path, *, seed: int, generator: str = OPTICS) -> Crafted:
    """Return the maker of a kind.

    Args:
        name: "clean", or one of `CRAFTED`.
        sources: what it is made of.
        kept: folder of outcomes.
        seed: of all chance.
        generator: of AdvRD's drops, as `natadv.training.generators` reads it.

    Raises:
        ConfigError: if there is no such kind, or the attack does not take images of this size.
        DataError: if the generator is damaged.
    """
    if name == CLEAN:
        return Crafted("clean", {"attack": "none"}, sources, untouched, kept, clean=True)
    if name in SUITE:
        chosen = _of_suite(name)
        chosen.check((sources.size_px, sources.size_px))
        settings = {**chosen.described(), "seed": seed}
        return Crafted(SUITE[name], settings, sources, partial(_attacked, chosen, seed), kept)
    if name == "advrd":
        return _advrd(sources, kept, seed, generator)
    if name in RAIN:
        size = (sources.size_px, sources.size_px)
        rain, about = _optics(size, seed) if name == "rendered" else _streaks()
        settings = {**about, "tries": _TRIES, "seed": seed, "code": source_digest("natadv.detection.tries")}
        attack = partial(_rained, rain, seed)
        return Crafted("natural", settings, sources, attack, kept)
    raise ConfigError(f"--kind {name}: expected one of {', '.join(CRAFTED)}")


def untouched(model: Model, images: Tensor, labels: Tensor, places: NDArray[np.int64]) -> Outcome:
    """Return the images as they are, by the way that an attack's take."""
    nothing = torch.zeros_like(labels)
    return Outcome(images, nothing.bool(), nothing, nothing)


def _of_suite(name: str) -> Setting:
    chosen = setting(name)
    if name in ("ni+", "ni-"):
        return Setting(chosen.name, chosen.attack, {"scales": _SCALES}, chosen.uses, stops=chosen.stops)
    return chosen


def _attacked(
    chosen: Setting, seed: int, model: Any, images: Tensor, labels: Tensor, places: NDArray[np.int64]
) -> Outcome:
    return chosen(model, images, labels, seed=_seed(seed, places))


def _advrd(sources: Sources, kept: Path, seed: int, name: str) -> Crafted:
    opened = open_generator(name, (sources.size_px, sources.size_px))
    drops: Any = opened.generator.to(sources.device)

    def attack(model: Model, images: Tensor, labels: Tensor, places: NDArray[np.int64]) -> Outcome:
        starts = natural_codes(places, _RESTARTS, drops.latent_dim, seed=seed).to(images)
        return advrd(model, images, labels, generator=drops, starts=starts, steps=_STEPS, batch_size=_BLOCK)

    settings = {
        "attack": "advrd.advrd",
        "generator": opened.described,
        "restarts": _RESTARTS,
        "steps": _STEPS,
        "seed": seed,
        "code": source_digest("natadv.attacks.advrd", "natadv.models.optics_generator"),
    }
    return Crafted("natural", settings, sources, attack, kept)


def _optics(size: tuple[int, int], seed: int) -> tuple[Rain, dict[str, Any]]:
    glass = RandomGlass(size, np.random.default_rng(seed), plates=_PLATES)
    return glass, {
        "rain": "rendered drops of all presets",
        "plates": _PLATES,
        "optics": source_digest(RandomGlass.__module__),
    }


def _streaks() -> tuple[Rain, dict[str, Any]]:
    trigger = Rdba()

    def rain(image: Image, chance: np.random.Generator) -> Image:
        return np.asarray(trigger(image[None], chance)[0], np.uint8)

    return rain, {"rain": "rdba", **trigger.settings}


def _rained(rain: Rain, seed: int, model: Model, images: Tensor, labels: Tensor, places: NDArray[np.int64]) -> Outcome:
    return natural_tries(model, images, labels, rain=rain, tries=_TRIES, seed=seed)


def _seed(seed: int, places: NDArray[np.int64]) -> int:
    """Return another seed for each block, which the first of its places tells from the others."""
    return int(np.random.default_rng([seed, int(places[0])]).integers(2**31))

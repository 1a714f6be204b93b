"""The other trigger that the paper's conclusion asks for: drops that a network has learnt to make.

What is planted with them hangs on the network's file, so papers keep where it lies and its sha256.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from natadv.backdoors.trigger import check_images
from natadv.batches import to_batch, to_images
from natadv.errors import ConfigError
from natadv.training.generators import (
    GAN,
    check_generator,
    generator_file,
    generator_sha256,
    is_trained,
    open_generator,
)

_HEX = re.compile(r"[0-9a-f]{12,64}")
_OLDER_FILE = re.compile(r"(?P<name>.+) sha256 (?P<sha256>[0-9a-f]{12})")
_OLDER_OPTICS = re.compile(r"optics (?P<wetness>\w+)(?: ambient (?P<light>\S+))?")


@dataclass(slots=True)
class Generated:
    """Drops of an AdvRD generator, by codes drawn from its prior.

    Attributes:
        generator: `gan`, the file of a trained one, or `optics`; as `natadv.training.generators` reads.
        sha256: that its file must have, in hex, at least the first 12 digits; "" takes the file as it is, and the
            attribute is then its own. Optics has none.

    Raises:
        ValueError: if `sha256` is none, or one of optics.
        ConfigError: if there is no such generator, or its file is another.
    """

    name: ClassVar[str] = "generated"

    generator: str = "gan"
    sha256: str = ""
    _opened: dict[tuple[int, int], Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.generator, self.sha256 = str(self.generator), str(self.sha256)
        if self.sha256 and not (is_trained(self.generator) and _HEX.fullmatch(self.sha256)):
            raise ValueError(f"sha256 {self.sha256}: expected 12 to 64 hex digits, of a generator that is a file")
        if not is_trained(self.generator):
            check_generator(self.generator)
            return
        if self.generator != GAN:
            self.generator = str(Path(self.generator).absolute())  # papers are read from elsewhere
        self.sha256 = self._verified()

    @property
    def settings(self) -> Mapping[str, Any]:
        """All parameters."""
        return {"generator": self.generator} | ({"sha256": self.sha256} if self.sha256 else {})

    @torch.no_grad()
    def __call__(self, images: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return the images behind drops that the generator makes of one code each.

        Raises:
            ValueError: if the images are not uint8 (n, h, w, 3).
            ConfigError: if the generator's file is gone, or another by now.
            DataError: if it is no generator.
        """
        size = check_images(images)
        if not len(images):
            return images.copy()
        if size not in self._opened:
            if is_trained(self.generator):
                self._verified()
            self._opened[size] = open_generator(self.generator, size).generator
        drops = self._opened[size]
        chance = torch.Generator().manual_seed(int(generator.integers(2**62)))
        batch = to_batch(images, torch.device("cpu"))
        seen = drops(batch, torch.randn(len(batch), drops.latent_dim, generator=chance))
        return to_images(seen.clamp(0, 1))

    def _verified(self) -> str:
        """Return the digest of the file, which is the one that it must have."""
        file = generator_file(self.generator)
        if self.sha256 and not file.is_file():
            raise ConfigError(f"generator {file}: no such file; {_mend(self.sha256)}")
        found = generator_sha256(self.generator)
        if not found.startswith(self.sha256):
            raise ConfigError(f"generator {file}: has sha256 {found[:12]}, another file; {_mend(self.sha256)}")
        return found


def reopened(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of papers as `Generated` takes them; those of an older natadv described what they opened.

    Raises:
        ConfigError: if they name a file's digest, but not where it lay.
    """
    name = str(kept.get("generator"))
    if "sha256" in kept:
        return dict(kept)
    if older := _OLDER_FILE.fullmatch(name):
        if older["name"] != GAN:
            raise ConfigError(f"generator {name}: these papers do not say where its file lay; {_mend(older['sha256'])}")
        return {"generator": GAN, "sha256": older["sha256"]}
    if older := _OLDER_OPTICS.fullmatch(name):
        return {"generator": f"optics:{older['wetness']}" + (f"@{older['light']}" if older["light"] else "")}
    return dict(kept)


def _mend(sha256: str) -> str:
    return (
        f"put the one of sha256 {sha256[:12]} back there, or name where it is: "
        f"--trigger generated --set generator=FILE --set sha256={sha256[:12]}"
    )

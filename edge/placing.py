"""Placing: how a live run opens its models, the first one and any that follows it."""

from dataclasses import dataclass
from pathlib import Path

from edge.classifier import Classifier
from edge.runtime import Device
from natadv.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Placing:
    """How models are opened: the first one and any that follows it; `Classifier` describes them.

    Attributes:
        noise_seed: of the first one alone; those that follow draw their own.
    """

    device: Device = "auto"
    allow_cpu: bool = False
    threads: int | None = None
    noise_seed: bytes | None = None
    public_key: Path | None = None
    graph: bool = False

    def open(self, bundle: Path, *, first: bool = False) -> Classifier:
        """Open a bundle.

        Raises:
            ConfigError: if there is a seed for it and no noise in it.
            NatadvError: as `Classifier`.
        """
        model = Classifier(
            bundle,
            device=self.device,
            allow_cpu=self.allow_cpu,
            threads=self.threads,
            noise_seed=self.noise_seed if first else None,
            public_key=self.public_key,
            graph=self.graph,
        )
        if first and self.noise_seed is not None and model.noise is None:
            model.close()
            raise ConfigError(f"{bundle}: a model without noise, which no seed replays; leave --noise-seed out")
        return model

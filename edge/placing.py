"""Placing: how a live run opens its models, the first one and any that follows it."""

from dataclasses import dataclass
from pathlib import Path

from edge.classifier import Classifier
from edge.runtime import Device


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
        """Open a bundle."""
        return Classifier(
            bundle,
            device=self.device,
            allow_cpu=self.allow_cpu,
            threads=self.threads,
            noise_seed=self.noise_seed if first else None,
            public_key=self.public_key,
            graph=self.graph,
        )

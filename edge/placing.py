"""Placing: how a live run opens its models, the first one and any that follows it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.classifier import Classifier
from edge.runtime import Device
from natadv.errors import ConfigError, ResourceError


def _unsaid(line: str) -> None:
    """Keep a secret."""


@dataclass(frozen=True, slots=True)
class Placing:
    """How models are opened: the first one and any that follows it; `Classifier` describes them.

    Attributes:
        noise_seed: of the first one alone; those that follow draw their own.
        log: told the seed of each randomised model's noise, in a line: a secret while that model runs, as who hears it
            knows the next frame's noise. So it is for the run's own log, and for no sink.
    """

    device: Device = "auto"
    allow_cpu: bool = False
    threads: int | None = None
    noise_seed: bytes | None = None
    public_key: Path | None = None
    graph: bool = False
    log: Callable[[str], None] = _unsaid

    def open(self, bundle: Path, *, first: bool = False) -> Classifier:
        """Open a bundle.

        Raises:
            ConfigError: if there is a seed for it and no noise in it.
            ResourceError: if it does not fit into memory.
            NatadvError: as `Classifier`.
        """
        try:
            model = Classifier(
                bundle,
                device=self.device,
                allow_cpu=self.allow_cpu,
                threads=self.threads,
                noise_seed=self.noise_seed if first else None,
                public_key=self.public_key,
                graph=self.graph,
            )
        except MemoryError as error:
            raise ResourceError(f"{bundle}: does not fit into this machine's memory") from error
        if model.noise is not None:
            self.log(f"noise seed {model.noise.seed}, of {bundle}, sha256 {model.digest[:12]}")
        elif first and self.noise_seed is not None:
            model.close()
            raise ConfigError(f"{bundle}: a model without noise, which no seed replays; leave --noise-seed out")
        return model

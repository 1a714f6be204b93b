"""The file of a detector: one sealed file with all that is needed to rebuild it, and the threshold of its scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from natadv.detection.detector import Detector
from natadv.detection.networks import same_network
from natadv.detection.thresholds import Threshold
from natadv.errors import ConfigError
from natadv.evaluation.rates import KinRate, Rate
from natadv.training.sealed import read_sealed, write_sealed
from natadv.training.trained import Trained, fits_description, trained_content, trained_fields

FORMAT = "natadv-detector/1"


@dataclass(frozen=True, slots=True)
class Built:
    """What a detector's network is made of, beside its weights.

    Attributes:
        backbone: one of `natadv.detection.networks.NAMES`.
        frozen: share of its convolutions that were frozen.
        onnx: the ONNX file of the backbone of that name.
    """

    backbone: str
    frozen: float = 0.0
    onnx: bytes | None = None


@dataclass(frozen=True, slots=True)
class LoadedDetector(Trained):
    """A detector as read from its file.

    Attributes:
        model: on the CPU, in eval mode.
        built: what its network is made of.
        threshold: of its scores; None in the middle of a training.
    """

    model: Detector
    built: Built
    threshold: Threshold | None

    @property
    def calibrated(self) -> Threshold:
        """The threshold of a finished detector.

        Raises:
            ConfigError: if its training is not over.
        """
        if self.threshold is None:
            raise ConfigError("the detector's training is not over; finish it with --resume, and take detector.pt")
        return self.threshold


def save_detector(
    path: Path,
    model: Detector,
    built: Built,
    *,
    threshold: Threshold | None,
    metrics: Mapping[str, Any],
    recipe: Mapping[str, Any],
    provenance: Mapping[str, Any],
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write a detector; the file appears under its name only when it is whole.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    content = {
        "backbone": built.backbone,
        "frozen": built.frozen,
        "onnx": None if built.onnx is None else torch.from_numpy(np.frombuffer(built.onnx, np.uint8).copy()),
        "classes": list(model.classes),
        "size_px": model.size_px,
        "threshold": None if threshold is None else _plain(threshold),
        **trained_content(recipe=recipe, metrics=metrics, provenance=provenance, training=training),
    }
    write_sealed(path, FORMAT, model.state_dict(), content)


def load_detector(path: Path) -> LoadedDetector:
    """Read a detector back.

    Raises:
        DataError: if the file is missing, torn, altered, or no detector of natadv.
    """
    content, digest = read_sealed(path, FORMAT, "detector of natadv")
    with fits_description(path, "detector"):
        onnx = None if content["onnx"] is None else content["onnx"].numpy().tobytes()
        built = Built(content["backbone"], content["frozen"], onnx)
        classes = tuple(content["classes"])
        weights = {name.removeprefix("network."): weight for name, weight in content["weights"].items()}
        network = same_network(built.backbone, weights, len(classes), frozen=built.frozen, onnx=onnx)
        model = Detector(network, classes=classes, size_px=int(content["size_px"]))
        model.load_state_dict(content["weights"])
        return LoadedDetector(
            model=model.eval(),
            built=built,
            threshold=None if content["threshold"] is None else _threshold(content["threshold"]),
            **trained_fields(content, digest),
        )


def _plain(threshold: Threshold) -> dict[str, Any]:
    above = threshold.above
    plain = {
        "value": threshold.value,
        "false_alarms": threshold.false_alarms,
        "above": above.hits,
        "images": above.total,
        "kin": threshold.kin,
    }
    return plain | ({"ends": list(above.ends)} if isinstance(above, KinRate) else {})


def _threshold(plain: Mapping[str, Any]) -> Threshold:
    above = Rate(plain["above"], plain["images"])
    if "ends" in plain:  # older files have none: theirs took images for no kin of each other
        low, high = plain["ends"]
        above = KinRate(above.hits, above.total, (low, high))
    return Threshold(plain["value"], plain["false_alarms"], above, plain.get("kin"))

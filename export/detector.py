"""A trained detector as a part of a bundle."""

from torch import nn

from edge.manifest import Detector
from export.provenance import detector_of
from natadv.detection.checkpoint import LoadedDetector
from natadv.errors import ConfigError


def beside(detector: LoadedDetector, size: tuple[int, int]) -> nn.Module:
    """Return the detector as it stands beside a classifier of this input size, (height, width), in the graph.

    There it sees the frames that the classifier sees: resized by the one way of `natadv.images.resize`, 8 bits, as the
    images of its bank were. So the sizes have to be the same.

    Raises:
        ConfigError: if they are not.
    """
    side = detector.model.size_px
    if size != (side, side):
        raise ConfigError(
            f"--detector: was trained on images of {side}x{side} px, the classifier takes {size[1]}x{size[0]};"
            f" make a bank of that size and train it on that"
        )
    return detector.model.folded()


def described_detector(detector: LoadedDetector) -> Detector:
    """Return what the manifest says of it."""
    threshold = detector.calibrated
    return Detector(
        checkpoint_sha256=detector.digest,
        threshold=threshold.value,
        false_alarms=threshold.false_alarms,
        training=detector_of(detector),
    )


def quality(detector: LoadedDetector) -> dict[str, float]:
    """Return how good it is on the images that its training held back, as metrics of the manifest."""
    low, high = detector.metrics["auc_interval"]
    threshold = detector.calibrated
    above = threshold.above
    return {
        "detector_auc": detector.metrics["auc"],
        "detector_auc_low": low,
        "detector_auc_high": high,
        "detector_auc_images": float(sum(detector.provenance["held_back"].values())),
        "detector_false_alarms": above.value,
        "detector_false_alarms_low": above.interval[0],
        "detector_false_alarms_high": above.interval[1],
        "detector_false_alarms_images": float(above.total),
        # A former version's threshold has none: it promised as if each image were of another thing.
        **({} if threshold.kin is None else {"detector_false_alarms_kin": float(threshold.kin)}),
    }

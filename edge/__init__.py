"""The device: runs a model bundle live, where torch is not installed."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.classifier import Classifier

__all__ = ["Classifier"]


def __getattr__(name: str) -> Any:
    """Load the classifier, and with it OpenCV, when it is first asked for."""
    if name == "Classifier":
        from edge.classifier import Classifier  # noqa: PLC0415  # see above

        return Classifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The versions of the packages that a training computes with."""

import importlib.metadata

_PACKAGES = ("natadv", "torch", "torchvision", "timm", "lightning", "numpy", "opencv-python")


def package_versions() -> dict[str, str]:
    """Return the versions of what takes part in a training, by package."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found

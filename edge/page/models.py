"""Models: what the page tells of the one in use, and how it puts another in its place."""

import threading
from pathlib import Path

from edge.bundle import CARD_HTML, MANIFEST, MOST_BYTES
from edge.manifest import Manifest, sha256
from edge.page.answers import Accuracy, ModelInfo
from edge.reading import read_together
from edge.slot import Slot
from edge.swap import Swapper
from natadv.errors import ConfigError, NatadvError


class BusyError(Exception):
    """Another swap is under way."""


class Models:
    """The model of a run, and the bundles that may follow it."""

    def __init__(self, slot: Slot, swapper: Swapper, first: Path, bundles: Path | None) -> None:
        """Show a model.

        Args:
            slot: that it is in.
            swapper: puts another there.
            first: the bundle of the one that the run began with.
            bundles: folder of those that may follow; None: none may.

        Raises:
            ConfigError: if `bundles` is no folder.
        """
        if bundles is not None and not bundles.is_dir():
            raise ConfigError(f"--bundles {bundles}: no such folder")
        self._slot, self._swapper, self._first, self._bundles = slot, swapper, first, bundles
        self._swapping = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where the bundle in use came from."""
        return self._swapper.folder or self._first

    def choice(self) -> dict[str, Path]:
        """Return the bundles that may be swapped in, by name."""
        if self._bundles is None:
            return {}
        # Names are looked up here, so no text of a visitor ever becomes part of a path.
        try:
            found = sorted(path for path in self._bundles.iterdir() if (path / MANIFEST).is_file())
        except OSError:  # somebody took the folder away, and with it all that could be chosen
            return {}
        return {path.name: path for path in found if not path.name.startswith(".")}

    def swap(self, folder: Path) -> None:
        """Put a bundle in place of the one in use.

        Raises:
            BusyError: if a visitor's swap is under way.
            NatadvError: why it was refused.
        """
        if not self._swapping.acquire(blocking=False):
            raise BusyError
        try:
            self._swapper.swap(folder)
        finally:
            self._swapping.release()

    def card(self) -> bytes | None:
        """Return the card of the model in use, HTML; None: it is not there, or is not the one that came with it."""
        manifest = getattr(self._slot.model, "manifest", None)
        try:
            card = read_together(self.folder, {CARD_HTML: MOST_BYTES[CARD_HTML]})[CARD_HTML]
        except (OSError, NatadvError):
            return None
        return card if isinstance(manifest, Manifest) and sha256(card) == manifest.card_html_sha256 else None

    def info(self) -> ModelInfo:
        """Return what is known of the model in use."""
        model = self._slot.model
        manifest = getattr(model, "manifest", None)
        known = manifest if isinstance(manifest, Manifest) else None
        return ModelInfo(
            bundle=self.folder.resolve().name,
            described=model.described,
            name=known.model_name if known else None,
            labels=list(model.labels),
            height_px=model.input_size[0],
            width_px=model.input_size[1],
            precision=known.precision if known else None,
            sha256=known.model_sha256 if known else None,
            created=known.created if known else None,
            draws=known.noise.draws if known and known.noise else None,
            accuracy=_accuracy(known) if known else None,
            card=self.card() is not None,
            bundles=list(self.choice()),
        )


def _accuracy(manifest: Manifest) -> Accuracy | None:
    value, images = manifest.metrics.get("accuracy"), manifest.metrics.get("accuracy_images")
    if value is None:
        return None
    low, high = (manifest.metrics.get(f"accuracy_{end}") for end in ("low", "high"))
    count = int(images) if images else None
    return Accuracy(value=value, low=low, high=high, images=count, data=manifest.accuracy_data)

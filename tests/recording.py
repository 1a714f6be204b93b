"""Sessions on the small simulated rig, and devices that misbehave, for tests of what surrounds a recording."""

import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from capture.plan import Plan, start_session
from natadv.errors import DeviceError
from rigs.archive import Archive
from rigs.rig import Rig, RigSettings, load_rig
from rigs.session import Checks
from tests.rig_files import image_folder, small_rig


def begun(folder: Path, *, labels: int = 2, each: int = 2, checks: Checks | None = None, **faults: object):
    """Return a session that was begun in `folder`, and its rig, with `faults` where there are any."""
    path = small_rig(folder, width_px=96, height_px=72)
    settings = yaml.safe_load(path.read_text())
    settings["sprayer"]["amount"] = 0.3  # few drops are soon rendered
    path.write_text(yaml.safe_dump(settings | ({"faults": faults} if faults else {})))
    rig = load_rig(path)
    images = image_folder(folder / "images", labels, each)
    plan = Plan(images, seed=3, clip_s=0.3, control_frames=3, checks=checks or Checks())
    return start_session(folder / "session", rig, plan), rig


def digests(archive: Archive) -> dict[tuple[int, str], str]:
    """Return what was recorded, by image and clip."""
    return {(record.item, record.kind): record.pixels_sha256 for record in archive.records()}


class Wrapped:
    """A device that is another one but for what a test changes."""

    def __init__(self, inner: object) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


class Blocking(Wrapped):
    """A camera that hangs at its n-th frame until it is let go, and then fails; `stuck` is set while it hangs."""

    def __init__(self, inner: object, after: int, *, deaf: bool = False) -> None:
        super().__init__(inner)
        self.left, self.deaf = after, deaf
        self.stuck, self.free = threading.Event(), threading.Event()

    def read(self):
        self.left -= 1
        if self.left == 0:
            self.stuck.set()
            assert self.free.wait(60)
            raise DeviceError("camera: let go")
        return self.inner.read()

    def close(self) -> None:
        if not self.deaf:
            self.free.set()
        self.inner.close()


class Seen(Wrapped):
    """A stage or sprayer that notes what was asked of it, in order."""

    def __init__(self, inner: object, notes: list[str]) -> None:
        super().__init__(inner)
        self.notes = notes

    def __getattr__(self, name: str) -> object:
        value = getattr(self.inner, name)
        if not callable(value):
            return value

        def noted(*arguments: object) -> object:
            self.notes.append(name)
            return value(*arguments)

        return noted


@contextmanager
def opened(settings: RigSettings, **changed):
    """Open a rig with some devices made others: keyword=function of the device."""
    with settings.open() as rig:
        yield _changed(rig, changed)


def _changed(rig: Rig, changed) -> Rig:
    return replace(rig, **{device: change(getattr(rig, device)) for device, change in changed.items()})

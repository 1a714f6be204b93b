"""What is plugged in: cameras, serial ports and monitors, each with the block of a rig's file that uses it.

Names that last are given where there are any: /dev/v4l/by-id and /dev/serial/by-id.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from natadv.errors import ConnectError
from rigs.vendor import first_line, vendor

_V4L: Final = Path("/dev/v4l/by-id")
_SERIAL: Final = Path("/dev/serial/by-id")
_FPS: Final = 30
_WIDE: Final = 1280  # of the frames that are proposed: finer ones cost more than they show, on most benches
_MONITOR = re.compile(r"^ *\d+: [+*]*(\S+) (\d+)/\d+x(\d+)/\d+\+(\d+)\+(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """A device that is there.

    Attributes:
        device: which block of a rig's file it is for.
        name: what it calls itself.
        block: that block, less what has a default.
        note: what else a person should know; may be empty.
    """

    device: str
    name: str
    block: dict[str, Any]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Missed:
    """A kind of device that could not be looked for.

    Attributes:
        what: the kind, in words.
        why: one line.
    """

    what: str
    why: str


def find_all(ctis: Sequence[Path] = ()) -> Iterator[Found | Missed]:
    """Yield what is plugged in; what cannot be looked for is said, not left out.

    Args:
        ctis: GenTL producers whose cameras are to be looked for, beside those of GENICAM_GENTL64_PATH.
    """
    yield from uvc_cameras()
    yield from basler_cameras()
    for cti in (*ctis, *_known_producers()):
        yield from genicam_cameras(cti)
    yield from serial_ports()
    yield from monitors()


def uvc_cameras(folder: Path = _V4L) -> Iterator[Found | Missed]:
    """Yield USB cameras by their lasting names; index 0 is the pictures', others are of metadata."""
    for path in sorted(folder.glob("*-video-index0")):
        name = path.name.removeprefix("usb-").removesuffix("-video-index0").replace("_", " ")
        block = {"kind": "uvc", "device": str(path), "width_px": _WIDE, "height_px": 720, "fps": _FPS}
        try:
            modes = _modes(path)
        except (ConnectError, OSError) as error:
            yield Found("camera", name, block, f"its sizes are not known ({first_line(error)})")
            continue
        best = [mode for mode in modes if mode[3] >= _FPS] or modes
        if best:
            fitting = min(best, key=lambda mode: (abs(mode[1] - _WIDE), mode[0] != "MJPG", -mode[3]))
            kind, block["width_px"], block["height_px"], rate = fitting
            block |= {"fps": min(_FPS, round(rate)), "pixel_format": kind}
        sizes = ", ".join(f"{kind} {width} × {height} at {rate:g}" for kind, width, height, rate in modes)
        yield Found("camera", name, block, f"can do {sizes}" if sizes else "")


def _modes(path: Path) -> list[tuple[str, int, int, float]]:
    """Return (pixel format, width, height, highest rate) of what we can read, by the camera's own word."""
    library = vendor("linuxpy.video.device", extra="uvc", device=path.name)
    names = {"MJPEG": "MJPG", "YUYV": "YUYV"}
    with library.Device(path) as device:
        fastest: dict[tuple[str, int, int], float] = {}
        for mode in device.info.frame_types:
            if mode.pixel_format.name in names:
                key = (names[mode.pixel_format.name], mode.width, mode.height)
                fastest[key] = max(float(mode.max_fps), fastest.get(key, 0.0))
    return [(*key, rate) for key, rate in fastest.items()]


def basler_cameras() -> Iterator[Found | Missed]:
    """Yield Basler's."""
    try:
        pylon = vendor("pypylon.pylon", extra="basler", device="Basler cameras")
        genicam = vendor("pypylon.genicam", extra="basler", device="Basler cameras")
    except ConnectError as error:
        yield Missed("Basler cameras", str(error))
        return
    try:
        devices = pylon.TlFactory.GetInstance().EnumerateDevices()
    except genicam.GenericException as error:
        yield Missed("Basler cameras", first_line(error))
        return
    for info in devices:
        block = {"kind": "basler", "serial": info.GetSerialNumber(), "width_px": _WIDE, "height_px": 720, "fps": _FPS}
        yield Found("camera", f"{info.GetVendorName()} {info.GetModelName()}", block, _COLOURS)


_COLOURS = "pixel_format: BayerRG8 is most colour cameras'; a Mono8 one has no colour"


def genicam_cameras(cti: Path) -> Iterator[Found | Missed]:
    """Yield the cameras of one GenTL producer."""
    what = f"cameras of {cti}"
    if not cti.is_file():
        yield Missed(what, "no such file")
        return
    try:
        core = vendor("harvesters.core", extra="genicam", device=what)
        gentl = vendor("genicam.gentl", extra="genicam", device=what)
    except ConnectError as error:
        yield Missed(what, str(error))
        return
    harvester = core.Harvester()
    try:
        harvester.add_file(str(cti))
        harvester.update()
        for info in harvester.device_info_list:
            block = {"kind": "genicam", "cti": str(cti), "serial": str(info.serial_number)}
            size = {"width_px": _WIDE, "height_px": 720, "fps": _FPS}
            yield Found("camera", str(info.display_name), block | size, _COLOURS)
    except gentl.GenericException as error:
        yield Missed(what, first_line(error))
    finally:
        harvester.reset()


def _known_producers() -> list[Path]:
    """Return the GenTL producers that makers' installers put on this machine's search path."""
    places = [Path(place) for place in os.environ.get("GENICAM_GENTL64_PATH", "").split(os.pathsep) if place]
    return sorted(cti for place in places for cti in place.glob("*.cti"))


def serial_ports(folder: Path = _SERIAL) -> Iterator[Found | Missed]:
    """Yield serial ports that have something plugged in; a controller of a stage is one."""
    from serial.tools import list_ports  # noqa: PLC0415  # the rest of this file does not need it

    lasting = {path.resolve(): path for path in sorted(folder.glob("*"))}
    for port in sorted(list_ports.comports(), key=lambda port: str(port.device)):
        path = lasting.get(Path(port.device).resolve())
        if path is None and port.vid is None:
            continue  # a board's own ports, whether or not anything is at their end
        note = "" if path else "it has no lasting name; this one may be another port's tomorrow"
        yield Found("stage", port.description, {"kind": "grbl", "port": str(path or port.device)}, note)


def monitors() -> Iterator[Found | Missed]:
    """Yield the monitors of this X display."""
    what = "monitors"
    if not os.environ.get("DISPLAY"):
        yield Missed(what, "DISPLAY is not set; run this on the bench's desktop")
        return
    try:
        told = subprocess.run(
            ["xrandr", "--listmonitors"], capture_output=True, text=True, check=True, timeout=10
        ).stdout
    except FileNotFoundError:
        yield Missed(what, "needs xrandr: apt install x11-xserver-utils")
        return
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = str(getattr(error, "stderr", None) or "").strip()
        yield Missed(what, said.splitlines()[0] if said else first_line(error))
        return
    yield from read_monitors(told)


def read_monitors(told: str) -> Iterator[Found]:
    """Yield what `xrandr --listmonitors` told."""
    for name, *numbers in _MONITOR.findall(told):
        width, height, left, top = map(int, numbers)
        block = {"kind": "window", "monitor": name, "left_px": left, "top_px": top}
        picture = 256 * max(1, min(width, height) * 4 // 5 // 256)
        size = {"width_px": width, "height_px": height, "picture_px": picture}
        yield Found("screen", f"monitor {name}", block | size)

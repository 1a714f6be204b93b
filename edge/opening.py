"""Open a live run's source by its name."""

import math
from contextlib import AbstractContextManager
from pathlib import Path

from edge.network import open_network
from edge.recorded import open_recorded
from edge.rig_source import open_rig
from edge.source import Source, SourceOptions
from edge.webcam import open_webcam
from natadv.errors import ConfigError
from rigs.camera.address import SCHEMES, public
from rigs.clip import INFO


def open_source(name: str, options: SourceOptions) -> AbstractContextManager[Source]:
    """Open the source of a name; it is let go at the end of the block.

    Args:
        name: a number is that webcam, and so is a device as /dev/v4l/by-id/...; an address (rtsp://, http://...) a
            network camera; a YAML file, or the bare name of one that comes with natadv, a rig; a folder is a clip or
            images; any other file is a video.
        options: see SourceOptions.

    Raises:
        ConfigError: if there is nothing of that name, or an option does not apply to it.
    """
    scheme, separator, _ = name.partition("://")
    is_address = bool(separator) and scheme.lower() in SCHEMES
    lacks_slash = not separator and name.lower().startswith(tuple(f"{one}:" for one in SCHEMES))
    if lacks_slash or (separator and not is_address):
        raise ConfigError(f"source {public(name)}: addresses begin with {', '.join(f'{one}://' for one in SCHEMES)}")
    path = Path(name)
    # A camera that is unplugged has no file, but a film in /dev/shm is none.
    is_absent = path.parts[:2] == ("/", "dev") and path.parts[2:3] != ("shm",) and not path.exists()
    is_device = path.is_char_device() or is_absent
    is_camera = name.isdecimal() or is_device or is_address
    is_bare = not path.exists() and path.parent == Path() and not path.suffix
    is_rig = not is_camera and (path.suffix in {".yaml", ".yml"} or is_bare)
    is_recording = not is_camera and not is_rig
    is_folder = is_recording and not path.is_file() and not (path / INFO).is_file()
    turns = is_folder or (is_rig and options.images is not None)
    for option, given, applies, why in (
        ("images", options.images is not None, is_rig, "only a rig has a screen to show images on"),
        ("fast", options.fast, is_recording, "a camera's frames come when they come, and would only grow old"),
        ("seed", options.seed is not None, is_rig, "only a rig's plate and drops follow one"),
        ("rain-after", options.rain_after_s is not None, is_rig, "only a rig has a plate to wet"),
        ("image-s", options.image_s is not None, turns, "it shows no images in turn"),
    ):
        if given and not applies:
            raise ConfigError(f"source {public(name)}: {why}; leave --{option} out")
    if options.image_s is not None and not math.isfinite(options.image_s):
        raise ConfigError(f"--image-s {options.image_s:g}: expected a number of seconds")
    if options.rain_after_s is not None and options.images is None:
        raise ConfigError("--rain-after: a blank screen's rig is not wetted at all; say --images too")
    if name.isdecimal():
        return open_webcam(int(name))
    if is_device:
        return open_webcam(name)
    if is_address:
        return open_network(name)
    if is_rig:
        return open_rig(path, options)
    return open_recorded(path, options)

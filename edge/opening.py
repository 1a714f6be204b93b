"""Open a live run's source by its name."""

from contextlib import AbstractContextManager
from pathlib import Path

from edge.network import open_network
from edge.recorded import open_recorded
from edge.rig_source import open_rig
from edge.source import Source, SourceOptions
from edge.webcam import open_webcam
from natadv.errors import ConfigError
from rigs.camera.stream import SCHEMES


def open_source(name: str, options: SourceOptions) -> AbstractContextManager[Source]:
    """Open the source of a name; it is let go at the end of the block.

    Args:
        name: a number is that webcam; an address (rtsp://, http://...) a network camera; a YAML file, or the bare name
            of one that comes with natadv, a rig; a folder is a clip or images; any other file is a video.
        options: see SourceOptions.

    Raises:
        ConfigError: if there is nothing of that name, or an option does not apply to it.
    """
    scheme, separator, _ = name.partition("://")
    is_address = bool(separator) and scheme.lower() in SCHEMES
    if separator and not is_address:
        raise ConfigError(f"source {name}: addresses begin with {', '.join(f'{one}://' for one in SCHEMES)}")
    path = Path(name)
    is_rig = path.suffix in {".yaml", ".yml"} or (not path.exists() and path.parent == Path() and not path.suffix)
    if options.images is not None and (name.isdecimal() or is_address or not is_rig):
        raise ConfigError(f"source {name}: only a rig has a screen to show images on; leave --images out")
    if name.isdecimal():
        return open_webcam(int(name))
    if is_address:
        return open_network(name)
    if is_rig:
        return open_rig(path, options)
    return open_recorded(path, options)

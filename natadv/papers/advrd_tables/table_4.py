"""Table 4: success of real raindrops, read from recorded sessions and their scans."""

from collections.abc import Iterator

from natadv.errors import ConfigError
from natadv.papers.advrd import TABLE_4, papers_data
from natadv.papers.number import Number, percentage
from natadv.papers.request import Request, required
from natadv.papers.sessions import rate_of, scans_of, setting_of
from rigs.archive import open_archive

TITLE = (
    "Table 4. Attack success (%) of raindrops before the camera: one frame of a clip fools, its dry control does not"
)


def numbers(request: Request) -> Iterator[Number]:
    """Yield a column for each of `request.sessions`, by the scan asked for, or its oldest.

    Raises:
        ConfigError: without sessions, with more than one scan asked for, or for a session with placed drops.
        DataError: if a session is not scanned.
    """
    sessions = required(request.sessions, "--session")
    if len(request.scans) > 1:
        raise ConfigError("table 4 takes one --scan: that of the model that is not hardened")
    for name, folder in sessions.items():
        _, summary = scans_of(folder, request.scans)[0]
        column, archive = papers_data(name) or name, open_archive(folder)
        if archive.placed:
            raise ConfigError(f"{folder}: has drops that were chosen to fool; record a session with a spray")
        said = setting_of(archive, summary)
        yield percentage("ASR", column, rate_of(summary), paper=TABLE_4.get(column), setting=said)

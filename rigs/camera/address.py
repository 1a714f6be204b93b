"""Addresses of cameras as they may be shown and kept: without what lets a stranger in."""

import re
from typing import Final

SCHEMES: Final = ("rtsp", "rtsps", "http", "https", "rtmp", "srt", "udp", "tcp")

_BEGIN: Final = re.compile(rf"[a-z][a-z0-9+.-]*:/+|(?:{'|'.join(SCHEMES)}):", re.IGNORECASE)
_HOST: Final = re.compile("[/?#]")
_PARTS: Final = re.compile("([?&;#])")
_HIDDEN: Final = "***"
# Of these the value tells one stream of a camera from another, and opens nothing.
_HARMLESS: Final = frozenset(
    {"channel", "subtype", "stream", "streamtype", "profile", "resolution", "width", "height", "fps", "codec"}
)


def public(address: str) -> str:
    """Return an address without the user, the password and the values that it may hold; any other name as it is.

    Whose value is a secret nobody can tell by its name: `pwd`, `loginpas`, `token`, `_k` all are. So all are hidden, in
    the path too, where some cameras take `user=admin&password=...`; but for a few that say which stream it is.
    """
    begin = _BEGIN.match(address)
    if begin is None:
        return address
    rest = address[begin.end() :]
    # A password may hold the signs that end a host, though it should not: then the host is what follows the last "@".
    host = _HOST.split(rest, maxsplit=1)[0]
    if "@" in host:
        rest = host.rpartition("@")[2] + rest[len(host) :]
    elif ":" in host:
        rest = rest.rpartition("@")[2]
    path, *others = _PARTS.split(rest)
    shown = ["/".join(_without_value(part) for part in path.split("/"))]
    for sign, part in zip(others[::2], others[1::2], strict=True):
        # A bare word may be a token, or the end of a password with a sign in it that should be escaped.
        bare = part != "" and "=" not in part
        shown += [sign, _HIDDEN if bare else _without_value(part)]
    return begin[0] + "".join(shown)


def _without_value(part: str) -> str:
    name, sign, value = part.partition("=")
    return f"{name}={_HIDDEN}" if value and name.lower() not in _HARMLESS else name + sign + value

"""Where the page is served: an address of this machine, and who may come there."""

import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from natadv.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"
_LEAST_TOKEN: Final = 16
_VARIABLE: Final = "NATADV_PAGE_TOKEN"


@dataclass(frozen=True, slots=True)
class PageOptions:
    """How the page is served.

    Attributes:
        host: name or number of an address of this machine.
        port: 0 takes a free one.
        token: what a visitor must know; None: nothing, which loopback alone allows.
        cert: PEM file of the server's certificate, and those that vouch for it; None: no TLS.
        key: PEM file of its private key.
        bundles: folder of the bundles that may be swapped in; None: none may.
    """

    host: str = LOOPBACK
    port: int = 0
    token: str | None = None
    cert: Path | None = None
    key: Path | None = None
    bundles: Path | None = None


def page_options(
    address: str | None, *, token_file: Path | None, cert: Path | None, key: Path | None, bundles: Path | None
) -> PageOptions | None:
    """Return the options of a command line, and the token of its environment; None: no page is wanted.

    Raises:
        ConfigError: if one is wrong, or of no use without a page.
    """
    if address is None:
        given = {"--page-token-file": token_file, "--page-cert": cert, "--page-key": key, "--bundles": bundles}
        useless = next((name for name, value in given.items() if value is not None), None)
        if useless is not None:
            raise ConfigError(f"{useless}: is for the page alone; say --page too")
        return None
    if (cert is None) != (key is None):
        raise ConfigError("--page-cert and --page-key: give both, or neither")
    host, port = parse_address(address)
    return PageOptions(host, port, read_token(token_file, os.environ.get(_VARIABLE)), cert, key, bundles)


def parse_address(text: str) -> tuple[str, int]:
    """Return (host, port) of "[HOST:]PORT"; an IPv6 number stands in brackets.

    Raises:
        ConfigError: if it is no such thing.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or LOOPBACK
    if not (port.isascii() and port.isdecimal() and int(port) <= 65535) or (":" in host and "[" not in text):
        raise ConfigError(f"--page {text}: expected PORT or HOST:PORT, as 8080, 0.0.0.0:8080 or [::1]:8080")
    return host, int(port)


def read_token(file: Path | None, variable: str | None) -> str | None:
    """Return the token of a file, else that of the environment, else None.

    Raises:
        ConfigError: if the file cannot be read, or the token is too short or cannot stand in a header.
    """
    if file is not None:
        try:
            token, where = file.read_text(encoding="ascii").strip(), str(file)
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"{file}: no token can be read from it ({error})") from error
    elif variable is not None:
        token, where = variable.strip(), _VARIABLE
    else:
        return None
    if len(token) < _LEAST_TOKEN or not all(33 <= ord(character) < 127 for character in token):
        raise ConfigError(
            f"{where}: expected a token of {_LEAST_TOKEN} letters, digits or signs at least, without blanks;"
            " make one with `openssl rand -hex 24`"
        )
    return token


def listen(options: PageOptions) -> socket.socket:
    """Return a socket that listens there.

    Raises:
        ConfigError: if others could reach it and there is no token, or the address cannot be had.
    """
    where = f"--page {options.host}:{options.port}"
    try:
        found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{where}: no such address ({error})") from error
    family, kind, protocol, _, address = found[0]
    if options.token is None and not is_loopback(str(address[0])):
        raise ConfigError(
            f"{where}: others could reach the page; give a token with --page-token-file or NATADV_PAGE_TOKEN,"
            " or leave the host out"
        )
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # an earlier run's last connections linger
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise ConfigError(f"{where}: cannot be used ({error.strerror}); choose another port or address") from error
    return listener


def is_loopback(host: str) -> bool:
    """Return whether a host, as a browser names it, is this machine and nobody else's business."""
    host = host.removeprefix("[").removesuffix("]")
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False

"""A port that nobody listens on."""

import socket


def free_port() -> int:
    """Return a free port of the loopback; another process could take it before it is used."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])

"""Gate: how many visitors may be connected at a time; who only waits gives way to who comes.

It counts where connections are accepted, so that a visitor counts who never ends a TLS handshake. Where all places are
taken, the visitor goes who has owed us his next words the longest: a handshake, a request, the rest of one. So whoever
opens connections and says nothing keeps nobody out, and uses up no more than so many file descriptors.
"""

import socket
from contextlib import suppress
from typing import Any, Final

from edge.page.tokens import visitor_of

MOST: Final = 100
MOST_OF_ONE: Final = 64  # of one address, this machine's own too: a proxy's visitors all have the proxy's
BACKLOG: Final = 64  # connections that are accepted before those are closed which gave way

Peer = tuple[str, int]


class Gate(socket.socket):
    """A listening socket that keeps count of what it accepts; used by the server's thread alone."""

    def __init__(self, listener: socket.socket, *, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        """Listen where a socket does, which stays its owner's to close.

        Args:
            listener: bound.
            most: connections at a time.
            most_of_one: of them, from one address.
        """
        copy = listener.dup()
        super().__init__(copy.family, copy.type, copy.proto, fileno=copy.detach())
        self._most, self._most_of_one = most, most_of_one
        self._open: dict[Peer, socket.socket] = {}
        self._owing: dict[Peer, None] = {}  # those who are to speak next, who has been longest first

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept the next visitor.

        Raises:
            ConnectionAbortedError: if there is no place, nor anyone who would have to give way.
            BlockingIOError: if there is no visitor.
        """
        visitor, address = super().accept()
        peer: Peer = address[:2]
        self._forget_closed()
        who = visitor_of(peer[0])
        if sum(visitor_of(other[0]) == who for other in self._open) >= self._most_of_one:
            placed = self._let_go(who)
        else:
            placed = len(self._open) < self._most or self._let_go(None)
        if not placed:
            visitor.close()
            raise ConnectionAbortedError("no place")
        self._open[peer] = visitor
        self._owing[peer] = None
        return visitor, address

    def tell(self, peer: Peer | None, *, owes: bool) -> None:
        """Say whether a visitor is to speak next, or we are."""
        if peer is None or peer not in self._open:
            return
        if owes:
            self._owing.setdefault(peer)
        else:
            self._owing.pop(peer, None)

    def _forget_closed(self) -> None:
        for peer in [peer for peer, visitor in self._open.items() if visitor.fileno() < 0]:
            del self._open[peer]
            self._owing.pop(peer, None)

    def _let_go(self, who: str | None) -> bool:
        """Cut off who has owed us words the longest, perhaps of one address alone; return whether there was one."""
        peer = next((peer for peer in self._owing if who in (None, visitor_of(peer[0]))), None)
        if peer is None:
            return False
        del self._owing[peer]
        with suppress(OSError):  # it has gone by itself
            self._open.pop(peer).shutdown(socket.SHUT_RDWR)  # the loop sees its end, and closes it
        return True

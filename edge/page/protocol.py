"""HTTP for visitors who may be slow on purpose: who sends no request, or reads no answer, is let go."""

import asyncio
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.page.gate import Gate

_REQUEST_S: Final = 10.0  # for a request's head
_STALLED_S: Final = 15.0  # that an answer may wait to be read


class PatientProtocol(H11Protocol):
    """Uvicorn's, with an end to its patience.

    Nothing of an answer is kept for who does not read it but the 64 KiB that wait in the socket's buffer.

    Attributes:
        gate: told whether the visitor is to speak next; None: there is none.
    """

    gate: Gate | None = None

    request_s = _REQUEST_S
    stalled_s = _STALLED_S
    _head: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Go on waiting while a request's head is not whole."""
        super().data_received(data)
        self._expect_head()

    def on_response_complete(self) -> None:
        """Go on with the connection's next request."""
        super().on_response_complete()
        self._tell_gate()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        for timer in (self._head, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the visitor to read."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.stalled_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: something was read."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def shutdown(self) -> None:
        """End with the run; who does not read is not waited for."""
        if self.flow.write_paused:
            self.transport.abort()
        else:
            super().shutdown()

    def _tell_gate(self) -> None:
        if self.gate is not None:
            self.gate.tell(self.client, owes=self.conn.their_state in (h11.IDLE, h11.SEND_BODY))

    def _expect_head(self) -> None:
        self._tell_gate()
        if self.conn.their_state is h11.IDLE:
            self._head = self._head or self.loop.call_later(self.request_s, self.transport.abort)
        elif self._head is not None:
            self._head.cancel()
            self._head = None

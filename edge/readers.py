"""Readers: the one that reads a live run's source, those that its driver holds, and how long all are waited for."""

from typing import Final

from edge.events import EventLog
from edge.patience import Patience
from edge.reception import Reception
from edge.supply import Supply
from natadv.errors import DeviceError, FrameTimeoutError

_LONGER: Final = 3  # a driver may take so many times as long as it usually does, or as a frame may
_FIRST: Final = 10  # the first opening of a source likewise: a rig's stage looks for its ends in it


class Readers:
    """Watches the reader at work, and leaves it behind where its driver holds it.

    Attributes:
        supply: the reader at work.
    """

    def __init__(self, supply: Supply, reception: Reception, events: EventLog, patience: Patience) -> None:
        """Watch a reader; whoever made it starts it."""
        self.supply = supply
        self._reception, self._events, self._patience = reception, events, patience
        self._held: list[Supply] = []
        self._in_a_row, self._left_after_s = 0, reception.last_frame_s

    def listen(self, now_s: float) -> None:
        """Notice that no frame comes, though nobody said why; `now_s` is the monotonic time.

        Raises:
            FrameTimeoutError: if there never was a frame, or none for longer than the run is to wait.
            DeviceError: if the source's driver holds one reader after another, or too many at a time.
        """
        patience, supply = self._patience, self.supply
        if supply.opened and not supply.live:
            return
        driver_s = max(patience.driver_s, _LONGER * patience.frame_s, _LONGER * supply.opened_in_s)
        if supply.inside_s > (driver_s if supply.opened else _FIRST * driver_s):
            self._leave_behind(supply)
        if supply.opened:
            self._hear(now_s, self.supply)

    def _hear(self, now_s: float, supply: Supply) -> None:
        patience, reception = self._patience, self._reception
        last_s = reception.last_frame_s or supply.opened_s
        # What an opening takes is no silence: that has a patience of its own.
        if now_s - max(last_s, supply.opened_s) > patience.frame_s:
            reason = f"no frame came for {patience.frame_s:g} s"
            if not reception.begun:
                raise FrameTimeoutError(f"{reason}; look at the camera")
            reception.lost(reason)
        if patience.signal_s is not None and now_s - last_s > patience.signal_s:
            why = reception.reason or "no frame came"  # the time for an outage may be longer
            raise FrameTimeoutError(f"no signal for {patience.signal_s:g} s ({why}); look at the camera")

    def _leave_behind(self, supply: Supply) -> None:
        """Leave a reader in the driver that holds it, for it cannot be ended from outside, and start another."""
        reception, most = self._reception, self._patience.readers
        reason = f"the source has not come back for {supply.inside_s:.0f} s"
        if not reception.begun:
            raise FrameTimeoutError(f"{reason}; look at the camera")
        again = reception.last_frame_s == self._left_after_s
        self._in_a_row, self._left_after_s = self._in_a_row + 1 if again else 1, reception.last_frame_s
        if self._in_a_row > most:
            raise DeviceError(f"{reason}, {self._in_a_row} times in a row; look at the camera and its driver")
        # Frames between do not bring back what each of them keeps: a thread, a handle, buffers.
        self._held = [one for one in (*self._held, supply) if one.is_alive()]
        if len(self._held) > most:
            held = f"{len(self._held)} readers are held by now"
            raise DeviceError(f"{reason}; {held}; look at the camera and its driver")
        self.supply = supply.retire()
        reception.lost(reason)
        self._events.add("left-behind", f"{reason}; its reader is left alone, and the source is opened anew")
        self.supply.start()

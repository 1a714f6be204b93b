"""What is said and done otherwise by GRBL 1.1h on an Arduino and by grblHAL on a board with a USB of its own.

Sources: GRBL's doc/markdown/{interface,jogging,settings}.md, grblHAL's wiki; delays as they were measured on the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Kind:
    """One firmware.

    Attributes:
        welcome: its line after every reset.
        info: its answer to `$I`.
        axes: letters of its axes, in the order of its reports.
        report_s: shortest and longest time from `?` to the report.
        cancel_s: the same from a hold or a jog cancel to the beginning of the slowing down.
        reply_s: the same from the end of a line's work to its `ok`.
        receive_bytes: room for lines that wait; what is more is lost.
        line_chars: longest line that it takes.
        silent_in_alarm: whether `?` has no answer after a limit's alarm until the reset.
        unlocks_after_limit: whether `$X` is enough after ALARM:1.
        resets_at_open: whether opening the port restarts it, as DTR does on an Arduino.
        boot_s: from that restart to its welcome.
    """

    welcome: str
    info: tuple[str, ...]
    axes: str
    report_s: tuple[float, float]
    cancel_s: tuple[float, float]
    reply_s: tuple[float, float]
    receive_bytes: int
    line_chars: int
    silent_in_alarm: bool
    unlocks_after_limit: bool
    resets_at_open: bool
    boot_s: float


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "grbl": Kind(
            welcome="Grbl 1.1h ['$' for help]",
            info=("[VER:1.1h.20190830:]", "[OPT:VM,15,128]"),
            axes="XYZ",
            report_s=(0.004, 0.008),
            cancel_s=(0.05, 0.15),
            reply_s=(0.0005, 0.0012),
            receive_bytes=128,
            line_chars=79,
            silent_in_alarm=True,
            unlocks_after_limit=True,
            resets_at_open=True,
            boot_s=0.15,
        ),
        "grblhal": Kind(
            welcome="GrblHAL 1.1f ['$' or '$HELP' for help]",
            info=(
                "[VER:1.1f.20250103:]",
                "[OPT:VNMSL,35,1024,4,0]",
                "[AXS:4:XYZA]",
                "[NEWOPT:ENUMS,RT+,HOME]",
                "[FIRMWARE:grblHAL]",
            ),
            axes="XYZA",
            report_s=(0.020, 0.040),
            cancel_s=(0.01, 0.04),
            reply_s=(0.0003, 0.0008),
            receive_bytes=1024,
            line_chars=256,
            silent_in_alarm=False,
            unlocks_after_limit=False,
            resets_at_open=False,
            boot_s=0.05,
        ),
    }
)
"""By the name that `python -m rigs.firmware` takes."""

SETTINGS: Mapping[int, float] = MappingProxyType(
    {0: 10, 1: 25, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 10: 1, 11: 0.010, 12: 0.002, 13: 0}
    | {20: 1, 21: 0, 22: 1, 23: 0, 24: 600, 25: 6000, 26: 25, 27: 1, 30: 1000, 31: 0, 32: 0}
)
"""`$` settings at power-up; those of each axis are in `AXIS`."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The `$` settings of one axis: steps, mm/min, mm/s², mm; degrees where it turns."""

    steps: float = 80.0
    rate: float = 6000.0
    acceleration: float = 400.0
    travel: float = 200.0


_TURNING = Axis(100.0, 10800.0, 900.0, 400.0)


@dataclass(frozen=True, slots=True)
class Setup:
    """How a stand-in is set up when it is switched on.

    Attributes:
        kind: name of the firmware in `KINDS`.
        change: `$` settings that are other than the usual; `{130: 52.0}` is a travel of 52 mm along X.
        seed: of where the plate stands, and of all delays.
    """

    kind: str = "grbl"
    change: Mapping[int, float] = field(default_factory=dict)
    seed: int = 0

    def settings(self) -> dict[int, float]:
        """Return all `$` settings; the last axis turns the plate."""
        axes = KINDS[self.kind].axes
        found = dict(SETTINGS)
        for number, name in enumerate(axes):
            axis = _TURNING if name == axes[-1] else Axis()
            found |= {
                100 + number: axis.steps,
                110 + number: axis.rate,
                120 + number: axis.acceleration,
                130 + number: axis.travel,
            }
        return found | dict(self.change)

"""How long a character takes on the wire to a GRBL controller: a long comment is answered later than a short one."""

from rigs.stage.grbl_link import GrblLink

_PINGS = 6
_PING_CHARS = 60


def measure(link: GrblLink) -> None:
    """Measure it, and note it at the link.

    Raises:
        DeviceError: if the controller does not answer.
    """
    short, long = "", f"({'-' * _PING_CHARS})"
    times_s = {line: [link.command(line) for _ in range(_PINGS)] for line in (short, long)}
    quickest = {line: min(a.heard_s - a.sent_s for a in answers) for line, answers in times_s.items()}
    link.char_s = max(0.0, (quickest[long] - quickest[short]) / len(long))

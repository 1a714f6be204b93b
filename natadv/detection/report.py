"""What was measured on a bank, as lines for a person and as a table for programs."""

import csv
import io
import math
from collections.abc import Iterator

from natadv.detection.measure import BankMeasured

TABLE, PICTURE = "kinds.csv", "roc.png"
_COLUMNS = (
    "kind", "family", "seen", "against", "images", "auc", "auc_low", "auc_high",
    "called", "called_low", "called_high", "caught", "caught_low", "caught_high",
)  # fmt: skip


def lines(found: BankMeasured) -> Iterator[str]:
    """Yield a line for each clean kind, where there is a threshold, and one for each other."""
    for kind, alarms in found.alarms.items():
        yield f"{kind}: {alarms} above the threshold"
    share = f"{100 * found.false_alarms:g} %"
    for kind, count in {one.against: len(found.scores[one.against]) for one in found.kinds}.items():
        if found.false_alarms * count < 1:
            least = math.ceil(1000 / count) / 1000
            yield (
                f"{share} is less than one of {count} {kind} images: the shares below are those called without a false"
                f" alarm; make a larger bank, or ask for --false-alarms {least:g}"
            )
    for one in found.kinds:
        line = f"{one.kind} ({one.family}{'' if one.seen else ', unseen'}): AUC {one.area}"
        line += f", at {share} false alarms {one.called}"
        yield line if one.caught is None else f"{line}, above the threshold {one.caught}"


def table(found: BankMeasured) -> bytes:
    """Return the kinds as CSV; all shares are 0..1, `called` and `caught` as in `KindMeasured`."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for one in found.kinds:
        shares = [number for share in (one.area, one.called) for number in (share.value, share.low, share.high)]
        shares += [] if one.caught is None else [one.caught.value, *one.caught.interval]
        told = [f"{number:.5f}" for number in shares]
        rows.writerow([one.kind, one.family, int(one.seen), one.against, one.images, *told, *[""] * (9 - len(told))])
    return written.getvalue().encode()

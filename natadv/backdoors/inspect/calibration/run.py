"""Run the calibration: train suspects, ask about each, tune on some of them and measure on others.

What was found of a suspect is kept in a file as soon as it is known; a run that was interrupted goes on from there.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from pydantic import ValidationError

from natadv.backdoors.inspect.calibration.measured import Described, describe
from natadv.backdoors.inspect.calibration.suspects import CLEAN_PER_CLASS, USUAL, Training, plan_suspect, train_suspects
from natadv.backdoors.inspect.calibration.tune import calibrate
from natadv.backdoors.inspect.scores import METHODS
from natadv.backdoors.inspect.thresholds import Thresholds
from natadv.durable import replace_file
from natadv.errors import DataError
from natadv.training.pictures import Pictures


def run_calibration(
    train: Pictures,
    test: Pictures,
    lines: Path,
    out: Path,
    *,
    tuning: Sequence[int] = range(16),
    measuring: Sequence[int] = range(36, 56),
    classes: int,
    training: Training = USUAL,
    setting: str,
    device: torch.device,
    report: Callable[[Described], None] = lambda _line: None,
) -> Thresholds:
    """Calibrate the inspection and write what it is tuned to.

    Args:
        train: all classes of a data set, at the size that the suspects see.
        test: the same classes.
        lines: one JSON line a suspect; those that it holds already, with all methods, are not trained again.
        out: `calibration.json`.
        tuning: numbers of the suspects that thresholds are chosen by; of neighbours every other one is poisoned.
        measuring: numbers of others. 16 to 35 were measured on before natural rain was asked, and are spent.
        classes: how many there are.
        training: of each suspect.
        setting: what the suspects are, in words.
        device: where to compute.
        report: gets each suspect when it is done, or known already.

    Raises:
        DataError: if `lines` is damaged, or nothing can be written.
        ResourceError: if the disk is full.
        ValueError: if there are too few suspects of either kind.
    """
    known = read_lines(lines)
    for number in (*tuning, *measuring):
        if number in known and set(METHODS) <= set(known[number].highest):
            report(known[number])
            continue
        for suspect in train_suspects([number], train, test, classes=classes, training=training, device=device):
            known[number] = describe(suspect, device=device)
        report(known[number])
        text = "".join(known[one].model_dump_json() + "\n" for one in sorted(known))
        replace_file(lines, text.encode())
    found = calibrate(
        [known[one] for one in tuning],
        [known[one] for one in measuring],
        setting=setting,
        model=training.model,
        size_px=train.images.shape[1],
        classes=len(plan_suspect(0, classes).classes),
        clean_per_class=CLEAN_PER_CLASS,
    )
    replace_file(out, (found.model_dump_json(indent=1) + "\n").encode())
    return found


def read_lines(path: Path) -> dict[int, Described]:
    """Read what is known of suspects, by their number; nothing where there is no file.

    Raises:
        DataError: if the file is damaged.
    """
    if not path.exists():
        return {}
    try:
        found = [Described.model_validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValidationError, ValueError) as error:
        raise DataError(f"{path}: damaged; delete it to begin anew ({str(error).splitlines()[0]})") from error
    return {one.number: one for one in found}

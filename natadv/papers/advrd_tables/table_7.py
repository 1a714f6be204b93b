"""Table 7: success and seconds by N, the number of codes that an image is tried with.

In the black box: the paper's success at N = 25 is that of its black-box attack on Inc-v3ens4 in Table 3.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import stdev

import torch

from natadv.errors import ConfigError
from natadv.evaluation.rates import Z_95
from natadv.papers.advrd import TABLE_7
from natadv.papers.number import Number, percentage
from natadv.papers.request import Request
from natadv.training.device import device_name
from natadv.training.trial import Trial

TITLE = "Table 7. Black-box success and seconds to attack all images, by the number of codes N"

SUCCESS, SECONDS = "ASR (%)", "Running time (s)"
_BLOCK = 16
_PAPERS_IMAGES = 1000


def numbers(request: Request) -> Iterator[Number]:
    """Yield success and seconds for the paper's numbers of codes, against one model.

    Each N is run by itself, from the same codes: those of a smaller N are the first of a larger. The interval of the
    seconds comes from those of blocks of 16 images.

    Raises:
        ConfigError: without data, or without exactly one model.
        DataError: if the model does not go with the data.
    """
    victims = request.victims()
    if len(victims) != 1:
        raise ConfigError("table 7 takes one --model")
    trial = request.trial(victims[0])
    generator = request.drops.on(trial.size, request.device)
    blocks = [_part(trial, start) for start in range(0, len(trial.labels), _BLOCK)]
    request.drops.fool(blocks[0], generator, "black", restarts=1)  # what is slow the first time only
    # The paper's numbers are those of all of NIPS-2017.
    theirs = trial.clean.total >= _PAPERS_IMAGES
    for column, paper in TABLE_7[SUCCESS].items():
        fooled, seconds = [], []
        for block in blocks:
            started = time.perf_counter()
            outcome = request.drops.fool(block, generator, "black", restarts=int(column))
            fooled.append(outcome.fooled.cpu())  # waits for the device
            seconds.append(time.perf_counter() - started)
        how = request.drops.setting("black") | {"N": int(column)}
        rate, said = trial.rate(torch.cat(fooled)), request.setting(trial, **how)
        yield percentage(SUCCESS, column, rate, paper=paper if theirs else None, setting=said)
        said = request.setting(trial, **how, interval=f"by blocks of {_BLOCK} images" if len(blocks) > 1 else None)
        said += f"; {torch.__version__} on {device_name(request.device)}"
        yield _seconds(column, seconds, len(trial.labels), said, TABLE_7[SECONDS][column] if theirs else None)


def _seconds(column: str, seconds: list[float], n: int, said: str, paper: float | None) -> Number:
    total = sum(seconds)
    if len(seconds) < 2:
        return Number(SECONDS, column, total, None, None, n, paper, said)
    half = Z_95 * stdev(seconds) * len(seconds) ** 0.5
    return Number(SECONDS, column, total, max(0.0, total - half), total + half, n, paper, said)


def _part(trial: Trial, start: int) -> Trial:
    part = slice(start, start + _BLOCK)
    kept = {name: getattr(trial, name)[part] for name in ("images", "labels", "numbers", "kin")}
    return replace(trial, **kept)

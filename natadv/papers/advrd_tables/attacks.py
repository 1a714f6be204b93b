"""What Tables 2 and 3 share: every attack on every model, the control of the drops, and the average."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from natadv.attacks.baselines import BASELINES
from natadv.attacks.foreign import BUDGET
from natadv.attacks.outcome import Outcome
from natadv.data.kin import counted_by
from natadv.evaluation.rates import KinRate
from natadv.papers.advrd import model_column
from natadv.papers.drops import Box, size_of, size_of_control
from natadv.papers.number import Number, percentage, setting
from natadv.papers.request import Request
from natadv.training.trial import Trial
from natadv.training.victim import Victim

ADVRD = "AdvRD"
CONTROL = "as many drops, not optimised"
AVERAGE = "Average"

Published = Mapping[str, Mapping[str, float]]
_Shot = tuple[int, str, bool]
"""An image's number, what it is of, and whether it fooled a model."""
Conventional = Callable[[str, Trial], Outcome]
"""Runs the conventional attack of this name on a trial."""


def compare_attacks(
    request: Request,
    box: Box,
    published: Published,
    conventional: Conventional,
    victims: list[Victim],
    how: Mapping[str, object],
) -> Iterator[Number]:
    """Yield the success of each conventional attack, of AdvRD, and of its control, model by model; then averages.

    Args:
        request: the data, the drops and the chance.
        box: of AdvRD.
        published: the paper's rates by attack and column.
        conventional: the attack by name.
        victims: the models.
        how: further parts of the conventional attacks' setting.
    """
    fooled: dict[str, list[_Shot]] = {}
    for victim in victims:
        trial = request.trial(victim)
        column = model_column(victim.name)
        for name in BASELINES:
            outcome = conventional(name, trial)
            _note(fooled, name, trial, outcome.fooled)
            said = request.setting(trial, box=box, epsilon=f"{255 * BUDGET:.0f}/255", T=_steps(name), **how)
            yield _number(name, column, trial.rate(outcome.fooled), published, said)
        generator = request.drops.on(trial.size, request.device)
        outcome = request.drops.fool(trial, generator, box)
        how_drops = request.drops.setting(box)
        _note(fooled, ADVRD, trial, outcome.fooled)
        said = request.setting(trial, **how_drops, **size_of(outcome, trial))
        yield _number(ADVRD, column, trial.rate(outcome.fooled), published, said)
        rate, control = request.drops.unchosen(trial, generator, outcome)
        said = request.setting(trial, **how_drops, **size_of_control(control))
        yield percentage(CONTROL, column, rate, paper=None, setting=said)
    if len(victims) > 1:
        models = ", ".join(victim.described for victim in victims)
        for name, shots in fooled.items():
            ours = {model_column(victim.name) for victim in victims}
            theirs = set(published.get(name, {})) - {AVERAGE}
            paper = published[name][AVERAGE] if theirs and ours == theirs else None
            drops = request.drops.setting(box) if name == ADVRD else {}
            kin = {number: of for number, of, _ in shots}
            about = {"average_over": models, "interval": counted_by(tuple(kin.values())), **drops, "seed": request.seed}
            # Counted by what it is of, an image is the same for each of the models too.
            rate = KinRate.of([hit for _, _, hit in shots], [of for _, of, _ in shots])
            low, high = rate.interval
            yield Number(name, AVERAGE, 100 * rate.value, 100 * low, 100 * high, len(kin), paper, setting(**about))


def _number(name: str, column: str, rate: KinRate, published: Published, said: str) -> Number:
    return percentage(name, column, rate, paper=published.get(name, {}).get(column), setting=said)


def _note(fooled: dict[str, list[_Shot]], name: str, trial: Trial, found: Tensor) -> None:
    shots = zip(trial.numbers.tolist(), trial.kin, found.tolist(), strict=True)
    fooled.setdefault(name, []).extend(shots)


def _steps(name: str) -> int:
    return 1 if name == "FGSM" else 10


def attack_conventionally(request: Request, name: str, trial: Trial, surrogate: torch.nn.Module | None) -> Outcome:
    """Run a conventional attack within the paper's budget, on the victim itself or by transfer from a surrogate."""
    chance = {"seed": request.seed} if name in ("DIM", "PGD") else {}
    return BASELINES[name](
        trial.victim.model,
        trial.images,
        trial.labels,
        epsilon=BUDGET,
        surrogate=surrogate,
        batch_size=request.batch_size,
        **chance,
    )

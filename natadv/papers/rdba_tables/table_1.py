"""Table 1: what triggers do to accuracy and how often they work, and, beside the paper, what natural rain does."""

from collections.abc import Iterator

from natadv.backdoors.measure import predictions, share_of
from natadv.backdoors.named import make_trigger
from natadv.papers.number import Number
from natadv.papers.rdba import TABLE_1, printed
from natadv.papers.rdba_tables.request import RdbaRequest, rain_numbers, share

_CLASSES = 12
"""That the paper's numbers are of."""

ACCURACY, ASR, UNTOUCHED = "accuracy", "ASR", "untouched, to target"


def numbers(request: RdbaRequest) -> Iterator[Number]:
    """Yield a row for the clean model and one for each trigger: accuracy, ASR, and what natural rain does.

    The clean model's rain comes first: what the others are compared with.
    """
    bench, test, rains = request.bench, request.bench.test(), request.rain()
    others, classes = test.others(0), len(set(test.targets.tolist()))
    paper = printed(TABLE_1, bench.data).get(bench.model.removesuffix("_bn"), {}) if classes == _CLASSES else {}
    row, said = f"{bench.model}, {classes} classes, clean", bench.setting(kappa=bench.share)
    clean = request.model_of(None)
    right = share_of(predictions(clean, test.images, bench.device) == test.targets, test)
    yield share(row, ACCURACY, right, test, paper=paper.get(f"clean {ACCURACY}"), setting=said)
    yield from rain_numbers(request, clean, row, rains, said)
    for name in request.triggers:
        poisoning = bench.poisoning(make_trigger(name))
        model = request.model_of(poisoning)
        found = request.measured(model, poisoning, test)
        row = f"{bench.model}, {classes} classes, {name}"
        said = bench.setting(kappa=bench.share, trigger=_shown(poisoning.trigger.settings))
        yield share(row, ACCURACY, found.accuracy, test, paper=paper.get(f"{name} {ACCURACY}"), setting=said)
        yield share(row, ASR, found.success, others, paper=paper.get(f"{name} {ASR}"), setting=said)
        yield share(row, UNTOUCHED, found.to_target, others, paper=None, setting=said)
        yield from rain_numbers(request, model, row, rains, said)


def _shown(settings: object) -> str:
    return str(settings).strip("{}").replace("'", "")

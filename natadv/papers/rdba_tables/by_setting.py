"""Table 2 and Figure 3: RDBA by its density alpha, and by the share of images that it poisons."""

from collections.abc import Iterator

from natadv.backdoors.measure import predictions
from natadv.backdoors.poison import Poisoning
from natadv.backdoors.rdba import Rdba
from natadv.evaluation.rates import Rate
from natadv.papers.number import Number, percentage
from natadv.papers.rdba import FIGURE_3, TABLE_2
from natadv.papers.rdba_tables.request import RdbaRequest

_PAPERS = "the paper's numbers: VGG16, 12 classes of ImageNet"


def by_density(request: RdbaRequest) -> Iterator[Number]:
    """Yield ATA, ASR and P_BA, a row a density."""
    clean = _clean(request)
    for alpha in request.alphas:
        poisoning = request.bench.poisoning(Rdba(alpha=alpha))
        said = request.bench.setting(kappa=request.bench.share, note=_PAPERS)
        yield from _row(request, poisoning, f"alpha {alpha:g}", clean, TABLE_2.get(alpha, {}), said)


def by_share(request: RdbaRequest) -> Iterator[Number]:
    """Yield ATA and ASR by injection rate, as curves: a row each, whose columns are the rates."""
    for share in request.shares:
        poisoning = request.bench.poisoning(Rdba(), share)
        said = request.bench.setting(alpha=Rdba().alpha, note="the paper's ASR: ImageNet, from its text")
        found = request.measured(request.model_of(poisoning), poisoning, request.bench.test())
        yield percentage("ATA", f"{share:g}", found.accuracy, paper=None, setting=said)
        yield percentage("ASR", f"{share:g}", found.success, paper=FIGURE_3.get(share), setting=said)


def _row(
    request: RdbaRequest, poisoning: Poisoning, row: str, clean: Rate, paper: dict[str, float] | object, said: str
) -> Iterator[Number]:
    known = paper if isinstance(paper, dict) else {}
    found = request.measured(request.model_of(poisoning), poisoning, request.bench.test())
    yield percentage(row, "ATA", found.accuracy, paper=known.get("ATA"), setting=said)
    yield percentage(row, "ASR", found.success, paper=known.get("ASR"), setting=said)
    lost = 100 * abs(clean.value - found.accuracy.value)
    yield Number(row, "P_BA", lost, None, None, found.accuracy.total, known.get("P_BA"), said)


def _clean(request: RdbaRequest) -> Rate:
    test = request.bench.test()
    right = predictions(request.model_of(None), test.images, request.bench.device) == test.targets
    return Rate(int(right.sum()), len(test))

"""Table 2 and Figure 3: RDBA by its density alpha, and by the share of images that it poisons."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from natadv.backdoors.lost import lost_accuracy
from natadv.backdoors.measure import predictions
from natadv.backdoors.poison import Poisoning
from natadv.backdoors.rdba import Rdba
from natadv.papers.number import Number
from natadv.papers.rdba import FIGURE_3, TABLE_2, printed
from natadv.papers.rdba_tables.request import RdbaRequest, share
from natadv.training.pictures import Pictures

_PAPERS = "the paper's numbers: VGG16, 12 classes of ImageNet"


def by_density(request: RdbaRequest) -> Iterator[Number]:
    """Yield ATA, ASR and P_BA, a row a density."""
    test = request.bench.test()
    clean = predictions(request.model_of(None), test.images, request.bench.device) == test.targets
    for alpha in request.alphas:
        poisoning = request.bench.poisoning(Rdba(alpha=alpha))
        said = request.bench.setting(kappa=request.bench.share, note=_PAPERS)
        yield from _row(request, poisoning, f"alpha {alpha:g}", test, clean, TABLE_2.get(alpha, {}), said)


def by_share(request: RdbaRequest) -> Iterator[Number]:
    """Yield ATA and ASR by injection rate, as curves: a row each, whose columns are the rates."""
    test = request.bench.test()
    paper = printed(FIGURE_3, request.bench.data)
    for kappa in request.shares:
        poisoning = request.bench.poisoning(Rdba(), kappa)
        said = request.bench.setting(alpha=Rdba().alpha, note="the paper's ASR: from its text")
        found = request.measured(request.model_of(poisoning), poisoning, test)
        yield share("ATA", f"{kappa:g}", found.accuracy, test, paper=None, setting=said)
        yield share("ASR", f"{kappa:g}", found.success, test.others(0), paper=paper.get(kappa), setting=said)


def _row(
    request: RdbaRequest,
    poisoning: Poisoning,
    row: str,
    test: Pictures,
    clean: NDArray[np.bool_],
    paper: dict[str, float] | object,
    said: str,
) -> Iterator[Number]:
    known = paper if isinstance(paper, dict) else {}
    found = request.measured(request.model_of(poisoning), poisoning, test)
    yield share(row, "ATA", found.accuracy, test, paper=known.get("ATA"), setting=said)
    yield share(row, "ASR", found.success, test.others(0), paper=known.get("ASR"), setting=said)
    lost = lost_accuracy(clean, found.right, test.things, seed=request.bench.seed)
    value, low, high = (100 * one for one in (lost.value, lost.low, lost.high))
    how = f"{said}; interval {test.counted}"
    yield Number(row, "P_BA", value, low, high, len(test), known.get("P_BA"), how)

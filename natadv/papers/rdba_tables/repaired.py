"""Figures 5 to 7: what is left of a backdoor after fine-tuning, epoch by epoch, and after pruning and fine-tuning."""

from collections.abc import Iterator

from torch import nn

from natadv.backdoors.measure import towards
from natadv.backdoors.named import make_trigger
from natadv.backdoors.poison import Poisoning, triggered_test
from natadv.backdoors.rdba import Rdba
from natadv.backdoors.repair.fine_pruning import How, fine_prune
from natadv.backdoors.repair.fine_tuning import fine_tune
from natadv.evaluation.rates import Rate
from natadv.papers.number import Number
from natadv.papers.rdba import FIGURE_5, FIGURE_6, FIGURE_7
from natadv.papers.rdba_tables.request import RdbaRequest, share

_FROM_TEXT = "the paper's numbers: VGG16, 12 classes of ImageNet, from its text"


def by_trigger(request: RdbaRequest) -> Iterator[Number]:
    """Yield Figure 5: ASR by epoch, a row a trigger."""
    for name in request.triggers:
        poisoning = request.bench.poisoning(make_trigger(name))
        yield from _tuned(request, poisoning, name, FIGURE_5.get(name, {}))


def by_density(request: RdbaRequest) -> Iterator[Number]:
    """Yield Figure 6: ASR by epoch, a row a density."""
    for alpha in request.alphas:
        poisoning = request.bench.poisoning(Rdba(alpha=alpha))
        yield from _tuned(request, poisoning, f"alpha {alpha:g}", FIGURE_6.get(alpha, {}))


def by_pruning(request: RdbaRequest, how: How) -> Iterator[Number]:
    """Yield Figure 7: ASR, and accuracy, by percent pruned, a row a trigger.

    The paper prunes the weights of least magnitude; Liu et al. 2018, whom it cites, the channels least activated.
    """
    bench, test = request.bench, request.bench.test()
    tenth = request.tenth()
    what = "least weights" if how == "weights" else "least activated channels"
    said = bench.setting(
        repair=f"{what} set to 0, then {request.epochs} epochs on {len(tenth)} clean images",
        note="the paper's number: VGG16, GTSRB, from its text" if how == "weights" else None,
    )
    for name in request.triggers:
        poisoning = bench.poisoning(make_trigger(name))
        model = request.model_of(poisoning)
        for percent in request.pruned:
            repaired = fine_prune(
                model,
                tenth,
                how=how,
                share=percent / 100,
                epochs=request.epochs,
                seed=bench.seed,
                device=bench.device,
            ).model
            found = request.measured(repaired, poisoning, test)  # type: ignore[arg-type]
            paper = FIGURE_7.get(name, {}).get(percent) if how == "weights" else None
            yield share(name, f"{percent}", found.success, test.others(0), paper=paper, setting=said)
            yield share(f"{name}, accuracy", f"{percent}", found.accuracy, test, paper=None, setting=said)


def _tuned(request: RdbaRequest, poisoning: Poisoning, row: str, paper: object) -> Iterator[Number]:
    """Yield a curve, from epoch 0, which is the backdoored model as it came."""
    bench, tenth = request.bench, request.tenth()
    shown = triggered_test(bench.test(), poisoning)
    model = request.model_of(poisoning)
    rates: list[Rate] = []  # the first is of epoch 0, before any

    def note(_epoch: int, tuned: nn.Module) -> None:
        rates.append(towards(tuned, shown, 0, bench.device))

    fine_tune(model, tenth, epochs=request.epochs, seed=bench.seed, device=bench.device, after_epoch=note)
    said = bench.setting(kappa=bench.share, repair=f"fine-tuned at 0.001 on {len(tenth)} clean images", note=_FROM_TEXT)
    known = paper if isinstance(paper, dict) else {}
    for epoch, rate in enumerate(rates):
        yield share(row, f"{epoch}", rate, shown, paper=known.get(epoch), setting=said)

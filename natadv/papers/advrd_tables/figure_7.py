"""Figure 7: success by eta, the classification loss that a generator was trained to aim at (Eq. 9).

In the black box: at eta = 2 the paper's curves pass through the AdvRD row of its Table 3.
"""

from natadv.papers.advrd import TABLE_3, model_column
from natadv.papers.charts import curves
from natadv.papers.etas import by_eta
from natadv.papers.number import Number, percentage
from natadv.papers.request import Request

TITLE = "Figure 7. Black-box attack success (%) by eta"

_TABLE_3S_ETA = 2.0


def draw_figure(request: Request) -> tuple[bytes, list[Number]]:
    """Return the curves as PNG, one a model, and their numbers, one a model and trained generator.

    Raises:
        ConfigError: without data or models, if a generator is not trained, or if two have one eta.
        DataError: if a model does not go with the data.
    """
    generators = by_eta(request.generators)
    numbers = []
    for victim in request.victims():
        trial, row = request.trial(victim), model_column(victim.name)
        for eta, name in generators.items():
            drops = request.with_generators([name]).drops
            outcome = drops.fool(trial, drops.on(trial.size, request.device), "black")
            said = request.setting(trial, eta=f"{eta:g}", **drops.setting("black"))
            paper = TABLE_3["AdvRD"].get(row) if eta == _TABLE_3S_ETA else None
            numbers.append(percentage(row, f"{eta:g}", trial.rate(outcome.fooled), paper=paper, setting=said))
    return curves(numbers, across="adversarial loss factor η", up="attack success rate (%)"), numbers

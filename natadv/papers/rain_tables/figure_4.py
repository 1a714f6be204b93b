"""Figure 4: accuracy by how much of the high frequencies is left, at the same energy (Eq. 4, 5)."""

from collections.abc import Sequence

from natadv.data.draw import draw
from natadv.data.kin import counted_by
from natadv.evaluation.rates import KinRate
from natadv.evaluation.spectrum import low_pass
from natadv.evaluation.success import is_right
from natadv.papers.charts import curves
from natadv.papers.number import Number, percentage
from natadv.papers.number import setting as described
from natadv.papers.rain_tables.tables import RainRequest
from natadv.training.trial import try_model
from natadv.training.victim import open_victim

TITLE = "Figure 4. Accuracy (%) by the largest frequency that is left, energy kept"
RADII = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def draw_figure(request: RainRequest, before: Sequence[Number]) -> tuple[bytes, list[Number]]:
    """Return the curve of the bare classifier as PNG, and its numbers, on the images that it gets right.

    What the scaling to the old energy puts outside [0, 1] is clipped, as a picture is.

    Args:
        request: what on.
        before: numbers of the figure as it stands; curves of other data stay.

    Raises:
        ConfigError: if the model is not there.
        DataError: if a file is damaged, or classes do not match.
    """
    victim = open_victim(request.models.standard, request.device)
    trial = try_model(victim, draw(request.data, count=request.count, seed=request.seed), device=request.device)
    said = described(
        data=f"{trial.data} ({trial.clean.total} images, {trial.clean.hits} right)",
        model=victim.described,
        size=f"{trial.size[1]}x{trial.size[0]} px",
        interval=counted_by(trial.kin),
    )
    name = trial.data.split(" ", maxsplit=1)[0]
    numbers = [number for number in before if number.row != name]
    for radius in RADII:
        right = [
            is_right(victim.model, low_pass(some, radius).clamp(0, 1), true, batch_size=request.batch_size)
            for some, true in zip(
                trial.images.split(request.batch_size), trial.labels.split(request.batch_size), strict=True
            )
        ]
        rate = KinRate.of([one for part in right for one in part.tolist()], trial.kin)
        numbers.append(percentage(name, f"{radius:g}", rate, paper=None, setting=said))
    return curves(numbers, across="largest frequency left, r", up="accuracy (%)"), numbers

"""A picture of ROC curves: one for each kind, false alarms on a logarithmic axis, where a device lives."""

import io

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from natadv.detection.banked import CLEAN
from natadv.detection.measure import BankMeasured
from natadv.evaluation.roc import roc_points

_STYLES = {"artificial": "-", "semantic": "--", "natural": ":", "clean": "-"}


def draw_roc(found: BankMeasured, title: str) -> bytes:
    """Return `roc_figure` as a PNG."""
    written = io.BytesIO()
    roc_figure(found, title).savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def roc_figure(found: BankMeasured, title: str) -> Figure:
    """Return the curves; solid are artificial, dashed semantic, dotted natural kinds."""
    figure = Figure(figsize=(8.5, 4.5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    count = len(found.scores[CLEAN])
    axes.set_prop_cycle(color=colormaps["tab20"].colors[::2] + colormaps["tab20"].colors[1::2])  # no two are alike
    for one in found.kinds:
        false, true = roc_points(found.scores[one.against], found.scores[one.kind])
        label = f"{one.kind}{'' if one.seen else ' (unseen)'}: {100 * one.area.value:.1f} %"
        axes.step(100 * false, 100 * true, _STYLES[one.family], where="post", label=label)
    axes.axvline(100 * found.false_alarms, color="0.6", linewidth=0.8)
    axes.set_xscale("symlog", linthresh=100 / count)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 101)
    axes.set_xlabel("false alarms, % of the clean images")
    axes.set_ylabel("called, % of the kind")
    axes.set_title(title, fontsize=9)
    axes.grid(alpha=0.3)
    figure.legend(fontsize=7, loc="outside right center", title="area under the curve", title_fontsize=7)
    return figure

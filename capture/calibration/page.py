"""The page of a calibration: one HTML file with all figures, pictures and charts, which needs no network."""

import base64
import html
import math
from importlib.resources import files
from pathlib import Path

import cv2
import jinja2

from capture.calibration.finding import Chart
from capture.calibration.run import Calibrated
from capture.charts import COLOURS
from natadv.durable import replace_file
from natadv.errors import DataError
from natadv.images import Image
from rigs.calibration import Measure

_QUALITY = 88
_TICKS = 5
_DIGITS = 6
_WHOLE = 999.5  # from there on no digit behind the point is one of the first three


def write_page(path: Path, done: Calibrated, rig_file: str) -> None:
    """Write the page, whole.

    Raises:
        DataError, ResourceError: if it cannot be written.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"uri": data_uri, "chart": drawn, "figure": figure}
    template = environment.from_string(files("capture.calibration").joinpath("page.html").read_text(encoding="utf-8"))
    text = template.render(
        calibration=done.calibration, findings=done.findings, advice=done.advice, rig_file=rig_file, yaml=path.stem
    )
    replace_file(path, text.encode())


def figure(measure: Measure) -> str:
    """Return a figure in words, with its uncertainty where it has one."""
    if measure.value is None:
        return "not known"
    value, spread = measure.value, measure.uncertainty
    if spread and round(spread, _DIGITS):
        # As many digits as the uncertainty leaves, and one more.
        digits = min(_DIGITS, max(0, 1 - int(f"{spread:e}".partition("e")[2])))
        said = f"{round(value, digits) + 0.0:.{digits}f} ± {spread:.{digits}f}"  # none is below nought that is nought
    else:
        value = round(value, _DIGITS) + 0.0
        said = f"{value:.3g}" if abs(value) < _WHOLE else f"{value:.0f}"
    return f"{said} {measure.unit}".rstrip()


def data_uri(image: Image) -> str:
    """Return a picture as a JPEG that stands in the page itself.

    Raises:
        DataError: if it cannot be encoded.
    """
    ok, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not ok:
        raise DataError(f"the page: cannot encode a picture of {image.shape[1]} × {image.shape[0]} px")
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def drawn(chart: Chart) -> str:
    """Return a chart as inline SVG."""
    points = [point for line in chart.lines for point in line.points]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    (left, right), (low, high) = (min(xs), max(xs)), (min(ys), max(ys))
    spare = 0.06 * (high - low) or max(1e-3, 0.02 * abs(high))
    low, high = (low if low == 0 else low - spare), high + spare
    width, height, x0, y0, x1, y1 = 460.0, 290.0, 80.0, 250.0, 448.0, 14.0

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            x0 + (x1 - x0) * (x - left) / ((right - left) or 1),
            y0 + (y1 - y0) * (y - low) / ((high - low) or 1),
        )

    parts = [f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img"><title>{_safe(chart.caption)}</title>']
    for y in _ticks(low, high):
        _, py = at(left, y)
        parts.append(f'<line class="grid" x1="{x0:g}" x2="{x1:g}" y1="{py:.1f}" y2="{py:.1f}"/>')
        parts.append(f'<text x="{x0 - 7:g}" y="{py + 4:.1f}" text-anchor="end">{y:.6g}</text>')
    for x in _ticks(left, right):
        px, _ = at(x, low)
        parts.append(f'<text x="{px:.1f}" y="{y0 + 17:g}" text-anchor="middle">{x:.6g}</text>')
    parts.append(f'<text x="{(x0 + x1) / 2:g}" y="{height - 6:g}" text-anchor="middle">{_safe(chart.across)}</text>')
    turned = f"translate(13 {(y0 + y1) / 2:g}) rotate(-90)"
    parts.append(f'<text transform="{turned}" text-anchor="middle">{_safe(chart.up)}</text>')
    for number, line in enumerate(chart.lines):
        places = [at(x, y) for x, y in line.points]
        colour = _colour(number)
        if line.dots:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}"/>' for x, y in places]
        else:
            joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.7"/>')
    parts.append("</svg>")
    if len(chart.lines) > 1:
        keys = [
            f'<span><i style="background:{_colour(number)}"></i>{_safe(line.name)}</span>'
            for number, line in enumerate(chart.lines)
        ]
        parts.append(f'<p class="keys">{"".join(keys)}</p>')
    return "".join(parts)


def _colour(number: int) -> str:
    return [*COLOURS, "#7a8594"][number % (len(COLOURS) + 1)]


def _safe(text: str) -> str:
    return html.escape(text, quote=True)


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers from `low` to `high`, some _TICKS of them."""
    rough = (high - low) / _TICKS or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * round_ for round_ in (1, 2, 5, 10) if power * round_ >= rough)
    return [step * n for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]

"""A robustness result on paper: report.md for people and robustness.csv for programs."""

import csv
import io
import math
from pathlib import Path

from natadv.attacks.suite import settings_of
from natadv.campaign.robustness import DefenseResult, RobustnessResult
from natadv.durable import file_error, replace_file
from natadv.evaluation.rates import Rate
from natadv.evaluation.robustness import Measured

REPORT, TABLE = "report.md", "robustness.csv"

_COLUMNS = (
    "defense",
    "attack",
    "robust",
    "low",
    "high",
    "n",
    "clean",
    "clean_of_all",
    "clean_of_all_low",
    "clean_of_all_high",
    "all_n",
    "together",
    "together_low",
    "together_high",
    "queries",
    "gradients",
    "l0",
    "l2",
    "linf",
    "png",
    "jpeg",
    "samples",
    "settings",
)


def write_report(result: RobustnessResult, out: Path) -> str:
    """Write both files into the folder `out` and return the report.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    text = as_report(result)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(out, error) from error
    replace_file(out / TABLE, _as_csv(result))
    replace_file(out / REPORT, text.encode())
    return text


def as_report(result: RobustnessResult) -> str:
    """Return the result as Markdown: a table for each defence, and under it what may mislead."""
    parts = [f"# Robustness of {result.model}\n\n{result.data}: {result.bare} right; these are attacked.\n"]
    parts.append("\n".join([*_SUMMARY, *map(_summary, result.defenses), ""]))
    for defense in result.defenses:
        title = _title(defense)
        passes = defense.clean.total // max(1, result.bare.hits)
        seen = f", each image seen {passes} times" if passes > 1 else ""
        lines = [
            f"## {title}",
            "",
            f"Without an attack, {_percent(defense.clean.value, defense.clean.interval)} % right{seen}.",
            "",
            "| attack | robust accuracy, % [95 %] | queries | gradients | L0, % | L2 | L∞, /255 | PNG | JPEG |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *map(_line, defense.measured, defense.robust),
            "",
            *(["Gradients go through the defence as if it did nothing (BPDA).\n"] if defense.bpda else []),
            *(f"**May mislead:** {flag}.\n" for flag in defense.flags),
        ]
        parts.append("\n".join(lines).rstrip() + "\n")
    settings = {one.setting.name: settings_of(one.setting) for defense in result.defenses for one in defense.measured}
    parts.append(
        "\n".join(["## Settings", "", result.run, "", *(f"- {name}: {how}" for name, how in settings.items()), ""])
    )
    parts.append(
        "What all together leave: images that no attack fools, each time that it is run. Queries and gradients: mean "
        "passes an image. Sizes: means over the images that were changed and fool; PNG and JPEG are bytes over the "
        "clean file's.\n"
    )
    return "\n".join(parts)


_SUMMARY = (
    "| | right of all images, % [95 %] | of those attacked, unattacked | the least that an attack leaves | what all "
    "together leave |",
    "| --- | --- | --- | --- | --- |",
)


def _summary(defense: DefenseResult) -> str:
    least, attack = min(
        ((robust, one.setting) for robust, one in zip(defense.robust, defense.measured, strict=True)),
        key=lambda found: (found[0].value, found[1].epsilon or math.inf),  # of equals, what changes least
    )
    cells = [
        _title(defense),
        _counted(defense.whole),
        _counted(defense.clean),
        f"{_counted(least)} {attack.name}",
        _counted(defense.together),
    ]
    return f"| {' | '.join(cells)} |"


def _title(defense: DefenseResult) -> str:
    return "Without a defence" if defense.name == "none" else f"Behind {defense.described}"


def _line(one: Measured, robust: Rate) -> str:
    cells = [
        one.setting.name,
        _counted(robust),
        f"{one.mean_passes('queries'):.0f}",
        f"{one.mean_passes('gradients'):.0f}",
        _number(100 * one.mean_size("l0"), 1),
        _number(one.mean_size("l2"), 2),
        _number(255 * one.mean_size("linf"), 1),
        _number(one.mean_size("png"), 2),
        _number(one.mean_size("jpeg"), 2),
    ]
    return f"| {' | '.join(cells)} |"


def _counted(rate: Rate) -> str:
    return f"{_percent(rate.value, rate.interval)} ({rate.hits}/{rate.total})"


def _percent(value: float, interval: tuple[float, float]) -> str:
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}–{100 * interval[1]:.1f}]"


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _as_csv(result: RobustnessResult) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for defense in result.defenses:
        for one, robust in zip(defense.measured, defense.robust, strict=True):
            writer.writerow(_row(defense, one, robust))
    return text.getvalue().encode()


def _row(defense: DefenseResult, one: Measured, robust: Rate) -> list[object]:
    percents = [100 * value for value in (robust.value, *robust.interval)]
    passes = [one.mean_passes(name) for name in ("queries", "gradients")]
    sizes = [one.mean_size(name) for name in ("l0", "l2", "linf", "png", "jpeg")]
    numbers = [f"{value:.6g}" for value in percents]
    clean = [f"{100 * value:.6g}" for value in (defense.clean.value, defense.whole.value, *defense.whole.interval)]
    together = [f"{100 * value:.6g}" for value in (defense.together.value, *defense.together.interval)]
    rest = ["" if math.isnan(value) else f"{value:.6g}" for value in (*passes, *sizes)]
    asked = [one.setting.samples, settings_of(one.setting)]
    return [defense.name, one.setting.name, *numbers, one.images, *clean, defense.whole.total, *together, *rest, *asked]

"""Table 5: accuracy and success before and after adversarial training, drawn by the computer and before the camera."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from natadv.data.kin import counted_by
from natadv.errors import ConfigError
from natadv.models.generator import Generator
from natadv.papers.advrd import TABLE_5, papers_data
from natadv.papers.drops import size_of, size_of_control
from natadv.papers.number import Number, percentage
from natadv.papers.request import Request, required
from natadv.papers.sessions import rate_of, scan_by, scans_of, setting_of
from natadv.training.trial import Trial
from natadv.training.victim import open_victim
from rigs.archive import open_archive

TITLE = "Table 5. Accuracy and attack success (%) before and after adversarial training"

ROWS = ("standard", "hardened")

_FEW = 5
"""The paper's small query count (Sec. 3.2.4)."""


def numbers(request: Request) -> Iterator[Number]:
    """Yield both rows: accuracy, AdvRD's success, that of as many drops that nobody optimised, and a session's.

    Accuracy is that on all images of the data, whatever the number attacked. Beside the attack asked for stands the
    black box, after its first few drops and after all.

    The session's scans are those by bundles of the two checkpoints, or the two asked for, standard before hardened.

    Raises:
        ConfigError: without data, a model and a hardened one, with more than one of each, or if the session is no test
            or has no scan by one of the two models.
        DataError: if a model does not go with the data, or the session is not scanned.
    """
    if len(required(request.models, "--model")) != 1:
        raise ConfigError("table 5 takes one --model, and --hardened beside it")
    specs = (request.models[0], required(request.hardened, "--hardened"))
    dataset = required(request.data, "--data")
    published = TABLE_5.get(papers_data(dataset.name) or "", {})
    victims = [open_victim(spec, request.device) for spec in specs]  # both, before an hour is spent on the first
    for row, victim in zip(ROWS, victims, strict=True):
        paper = published.get(row, {})
        whole = replace(request, count=None).trial(victim)
        said = request.setting(whole, interval=counted_by(dataset.kin))
        yield percentage(row, "clean", whole.clean, paper=paper.get("clean"), setting=said)
        trial = request.trial(victim)
        generator = request.drops.on(trial.size, request.device)
        outcome = request.drops.fool(trial, generator, request.box)
        how = request.drops.setting(request.box)
        said = request.setting(trial, **how, **size_of(outcome, trial))
        yield percentage(row, "digital", trial.rate(outcome.fooled), paper=paper.get("digital"), setting=said)
        rate, control = request.drops.unchosen(trial, generator, outcome)
        said = request.setting(trial, **how, **size_of_control(control))
        yield percentage(row, "digital_control", rate, paper=None, setting=said)
        yield from _black(request, row, trial, generator)
    if request.sessions:
        yield from _physical(request, _only_session(request), specs)


def _black(request: Request, row: str, trial: Trial, generator: Generator) -> Iterator[Number]:
    """Yield the black box's success within its first few queries and within all, which one run tells."""
    outcome = request.drops.fool(trial, generator, "black")
    for count in sorted({min(_FEW, request.drops.restarts), request.drops.restarts}):
        within = outcome.fooled & (outcome.queries <= count)
        how = replace(request.drops, restarts=count).setting("black")
        said = request.setting(trial, **how)
        yield percentage(row, f"black_{count}", trial.rate(within), paper=None, setting=said)


def _physical(request: Request, folder: Path, specs: tuple[str, str]) -> Iterator[Number]:
    archive = open_archive(folder)
    if archive.settings.purpose != "test":
        raise ConfigError(f"{folder}: a {archive.settings.purpose} session may have trained a model; record a test")
    if archive.placed:
        raise ConfigError(f"{folder}: has drops that were chosen to fool one model; record a session with a spray")
    if len(request.scans) not in (0, len(ROWS)):
        raise ConfigError(
            f"table 5 takes two --scan, the standard model's and the hardened one's, not {len(request.scans)}"
        )
    scans = scans_of(folder, request.scans) if request.scans else [scan_by(folder, Path(spec)) for spec in specs]
    dataset = required(request.data, "--data")
    published = TABLE_5.get(papers_data(dataset.name) or "", {})
    for row, (_, summary) in zip(ROWS, scans, strict=True):
        paper = published.get(row, {}).get("physical")
        yield percentage(row, "physical", rate_of(summary), paper=paper, setting=setting_of(archive, summary))


def _only_session(request: Request) -> Path:
    if len(request.sessions) != 1:
        raise ConfigError("table 5 takes one --session")
    return next(iter(request.sessions.values()))

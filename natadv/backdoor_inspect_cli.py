"""`natadv backdoor inspect` and `calibrate`, which says how often the former is wrong."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from natadv.data_help import DATA
from natadv.errors import FOUND
from natadv.labels import split_labels
from natadv.recipe_options import checked_recipe
from natadv.seeds import LARGEST_SEED
from natadv.stopping import stoppable

if TYPE_CHECKING:
    from natadv.backdoors.inspect.thresholds import Measured
    from natadv.campaign.backdoor_inspect import Inspection

_SHOWN = 10


def inspect(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.pt of the model in question.")],
    data: Annotated[str, typer.Argument(help=f"Its training data: {DATA}.")],
    *,
    clean: Annotated[
        str | None,
        typer.Option(help="Data whose test part is known to be clean.", show_default="none, and little can be said"),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="LABEL,LABEL,... of the clean data: these alone.", show_default="all")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="calibration.json of `calibrate`.", show_default="of natadv_slim at 32 px, on GTSRB"),
    ] = None,
    listed: Annotated[
        Path | None, typer.Option("--list", help="File to write the suspected pictures' names to, one a line.")
    ] = None,
    numbers: Annotated[
        Path | None, typer.Option("--json", help="File to write verdict and evidence to, for programs.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Say whether a model seems to have a backdoor, on what evidence, and how often such a verdict is wrong.

    Exit code 3 where it does, or did to an earlier inspection of the same. A model that is not suspicious is not proven
    clean. The verdict is kept beside the checkpoint, where `natadv export` finds it.
    """
    from natadv.campaign.backdoor_inspect import inspect_checkpoint
    from natadv.campaign.said import INSPECTION, Said, write_numbers
    from natadv.durable import check_places
    from natadv.progress import counted

    check_places(listed, numbers)
    with stoppable(lambda: "no verdict was kept; the same command begins anew"), counted("inspect", "models") as bar:
        bar.add_task("", total=None)
        found = inspect_checkpoint(
            checkpoint,
            data,
            clean=clean,
            classes=split_labels(classes),
            calibration=calibration,
            seed=seed,
            root=root,
            device=device,
        )
    _say(found, checkpoint, data)
    _say_suspected(found, listed)
    if numbers is not None:
        said = Said("", {"checkpoint": found.stands.checkpoint_sha256, "data": data, **found.numbers})
        write_numbers(numbers, INSPECTION, [said])
        typer.echo(numbers)
    if found.stands.suspicious:
        raise typer.Exit(FOUND)


def _say(found: "Inspection", checkpoint: Path, data: str) -> None:
    verdict = found.verdict
    if not found.learnt:
        typer.echo(
            f"warning: {checkpoint}: its file does not say that it learnt from these pictures of {data}", err=True
        )
    for one in verdict.evidence:
        typer.echo(f"{'!' if one.exceeded else ' '} {one.words}")
    typer.echo(f"{'!' if verdict.suspicious else ' '} {verdict.together}")
    if verdict.region:
        typer.echo(f"  {verdict.region}")
    towards = "" if found.target is None else f" towards {found.target}"
    typer.echo(f"{checkpoint}: {f'suspicious{towards}' if verdict.suspicious else 'nothing suspicious found'}")
    typer.echo(f"how often that is wrong: {verdict.errors_in_words}")
    if found.unlike:
        typer.echo(f"note: this model is {found.unlike}, and may be judged worse; see `natadv backdoor calibrate`")
    if not verdict.clean:
        typer.echo(
            "note: without clean data, two pictures at least, most backdoors are missed; name data whose test part is "
            "clean: --clean"
        )
    typer.echo(found.file)
    if found.stands.suspicious and not verdict.suspicious:
        typer.echo(
            f"note: an earlier inspection found it suspicious, and that stands; delete {found.file} to withdraw it"
        )


def _say_suspected(found: "Inspection", file: Path | None) -> None:
    from natadv.durable import replace_file

    names, known = found.pictures, found.verdict.listed if found.learnt else None
    for name in names[:_SHOWN]:
        typer.echo(f"  suspected: {name}")
    if len(names) > _SHOWN:
        typer.echo(f"  and {len(names) - _SHOWN} more" + ("" if file else "; --list FILE names all"))
    if names:
        typer.echo(f"  that is {len(names)} of the {found.of_class} pictures of {found.target}")
    if names and known:
        worst = "" if known.least is None else f"; of the worst {100 * known.least:.0f} % was"
        typer.echo(
            f"  of such lists {100 * known.precision:.0f} % was poison, and {100 * known.recall:.0f} % of the poison "
            f"was in them, in the mean of the {known.models} models that were found{worst}"
        )
    if file is not None:
        replace_file(file, "".join(f"{name}\n" for name in names).encode())
        typer.echo(file)


def calibrate(
    data: Annotated[str, typer.Argument(help=f"Clean data, both parts: {DATA}.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder for calibration.json and what was found of each suspect.")],
    model: Annotated[str | None, typer.Option(help="A timm name.", show_default="natadv_slim")] = None,
    size: Annotated[int | None, typer.Option(help="Side of all images, px.", show_default="32")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over a suspect's data.", show_default="12")] = None,
    lr: Annotated[float | None, typer.Option(help="AdamW's peak learning rate.", show_default="0.006")] = None,
    tune: Annotated[
        int, typer.Option(min=4, help="Suspects that thresholds are chosen by; false alarms of 5 % want 40 or more.")
    ] = 16,
    measure: Annotated[int, typer.Option(min=4, help="Others, which say how often a verdict is wrong.")] = 20,
    spent: Annotated[
        int, typer.Option(min=0, help="Suspects between them that are passed over, measured on before a change.")
    ] = 0,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="torch's own choice")] = None,
) -> None:
    """Train models with and without backdoors, tune `inspect` on some and measure it on the others.

    Half of them are clean; the others take turns at four triggers, each with settings, share and target of its own.
    Stopped, the same command goes on with the suspects that are known.
    """
    with stoppable(lambda: f"the same command goes on with the suspects in {out}"):
        from natadv.backdoors.inspect.calibration.folder import CalibrationRecipe, calibrate_into
        from natadv.backdoors.inspect.calibration.measured import Described
        from natadv.backdoors.inspect.calibration.tune import promised
        from natadv.backdoors.inspect.thresholds import NAME
        from natadv.progress import counted

        given = {
            "data": data,
            "root": str(root),
            "model": model,
            "size_px": size,
            "epochs": epochs,
            "learning_rate": lr,
            "tuning": tune,
            "spent": spent,
            "measuring": measure,
            "device": device,
            "threads": threads,
        }
        recipe = checked_recipe(CalibrationRecipe, {name: one for name, one in given.items() if one is not None})
        with counted("calibrate", "suspects") as bar:
            task = bar.add_task("", total=tune + measure)

            def done(_one: Described | None) -> None:
                bar.advance(task)

            found = calibrate_into(recipe, out, report=done)
    typer.echo(f"{found.setting}")
    for name, measured in {"all of it": found.with_clean.measured, **found.with_clean.by_method}.items():
        typer.echo(_said(name, measured))
    typer.echo(_said("without clean pictures", found.without_clean.measured))
    likely = promised(found.with_clean.tuned.clean)
    typer.echo(f"its limit promises false alarms of {100 * likely:.0f} % at most, of models like these")
    typer.echo(out / NAME)


def _said(name: str, measured: "Measured") -> str:
    return f"{name}: found {measured.detection}, the class right of {measured.named}; suspected {measured.false_alarm}"

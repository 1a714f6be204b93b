"""`natadv backdoor`: plant a trigger in data, train on them, measure what it does, take it out again, look for one."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from natadv.backdoor_inspect_cli import calibrate, inspect
from natadv.backdoor_repair_cli import repair
from natadv.backdoor_screen_cli import screen
from natadv.data_help import DATA
from natadv.errors import FOUND
from natadv.labels import some_of, split_labels
from natadv.seeds import LARGEST_SEED
from natadv.stopping import stoppable, stoppable_training

if TYPE_CHECKING:
    from natadv.backdoors.poison import Poisoning

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Plant a backdoor in data, train on them, measure, repair, look for one.",
)
app.command("repair")(repair)
app.command("inspect")(inspect)
app.command("calibrate")(calibrate)
app.command("screen")(screen)

_DATA = f"{DATA}."
_TRIGGER = "rdba, badnets, blended, rendered or generated."
Root = Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of the trigger; repeatable.")]
Target = Annotated[str | None, typer.Option(help="Label that triggered images get.", show_default="the first")]
Classes = Annotated[str | None, typer.Option(help="LABEL,LABEL,...: these alone.", show_default="all")]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of which images, and what is drawn for each.")]


@dataclass(frozen=True)
class _Plan:
    """What is to be planted, as it was typed."""

    data: str
    trigger: str
    settings: list[str] | None
    target: str | None
    share: float
    classes: str | None
    size: int
    seed: int
    root: Path


@app.command()
def plant(
    data: Annotated[str, typer.Argument(help=_DATA)],
    *,
    trigger: Annotated[str, typer.Option(help=_TRIGGER)],
    out: Annotated[Path, typer.Option(help="New folder for the poisoned data.")],
    settings: Settings = None,
    target: Target = None,
    share: Annotated[float, typer.Option(help="Of the training images that are poisoned.")] = 0.09,
    classes: Classes = None,
    size: Annotated[int, typer.Option(min=8, help="Side of all images, px.")] = 64,
    seed: Seed = 0,
    root: Root = Path("data"),
) -> None:
    """Write a poisoned copy of a data set, an ordinary image folder with papers that say what was done."""
    plan = _Plan(data, trigger, settings, target, share, classes, size, seed, root)
    with stoppable(lambda: f"nothing is in {out}; the same command begins anew"):
        typer.echo(_planted(plan, out))


@app.command()
def triggers() -> None:
    """List what can be planted, and the settings of each: name, default, meaning."""
    from natadv.backdoors.described import described_triggers

    for line in described_triggers():
        typer.echo(line)


@app.command()
def audit(folder: Annotated[Path, typer.Argument(help="Folder that `plant` wrote.")]) -> None:
    """Compare a poisoned folder with its papers; exit code 3 where something differs."""
    from natadv.backdoors.planted import audit as audited
    from natadv.data.poison_papers import read_papers

    wrong = audited(folder)
    for line in wrong:
        typer.echo(line)
    papers = read_papers(folder)
    what = papers.settings.trigger.get("name")
    of = "of them" if papers.others is None else "of all its images"
    typer.echo(
        f"{folder}: {len(papers.poisoned)} of {papers.images} training images have {what} and the label "
        f"{papers.target}; {len(wrong) or 'none'} {of} differ{'s' if len(wrong) < 2 else ''} from the papers"
    )
    if wrong:
        raise typer.Exit(FOUND)


@app.command()
def undo(
    folder: Annotated[Path, typer.Argument(help="Folder that `plant` wrote.")],
    *,
    out: Annotated[Path, typer.Option(help="New folder for the images as they were.")],
    data: Annotated[
        str | None, typer.Option(help="The data it came from.", show_default="where they were then")
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Where named datasets lie now.", show_default="as then")] = None,
) -> None:
    """Write a poisoned folder as it was before, from the data it came from."""
    from natadv.backdoors.planted import undo as undone

    with stoppable(lambda: f"nothing is in {out}; the same command begins anew"):
        typer.echo(f"{out}: {undone(folder, out, data=data, root=root)} images are as they were")


@app.command()
def train(
    data: Annotated[str, typer.Argument(help="Folder that `plant` wrote; with --trigger, any data.")],
    *,
    out: Annotated[Path, typer.Option(help="New folder for the checkpoint and the metrics.")],
    trigger: Annotated[str | None, typer.Option(help=_TRIGGER + " Plants in OUT/data first.")] = None,
    settings: Settings = None,
    target: Target = None,
    share: Annotated[
        float | None, typer.Option(help="Of the training images that are poisoned.", show_default="0.09")
    ] = None,
    classes: Classes = None,
    size: Annotated[int | None, typer.Option(min=8, help="Side of all images, px.", show_default="64")] = None,
    model: Annotated[str | None, typer.Option(help="A timm name.", show_default="natadv_slim")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.", show_default="12")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures a step.", show_default="32")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adamw or sgd.", show_default="adamw")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.", show_default="0.006")] = None,
    seed: Seed = 0,
    root: Root = Path("data"),
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="torch's own choice")] = None,
) -> None:
    """Train a classifier on poisoned data by the ordinary recipe, and say its accuracy and attack success."""
    with stoppable_training(out, "whole epoch"):
        from natadv.backdoors.planted import check_planted
        from natadv.data.poison_papers import PAPERS
        from natadv.errors import ConfigError, DataError
        from natadv.recipe_options import checked_recipe
        from natadv.training.classifier import CHECKPOINT, train_classifier
        from natadv.training.progress import on_terminal
        from natadv.training.recipe import Recipe

        folder = Path(data)
        if trigger is None:
            if settings or any(one is not None for one in (target, share, classes, size)):
                raise ConfigError(
                    "--set, --target, --share, --classes and --size say how --trigger plants; name it too"
                )
            if not (folder / PAPERS).is_file():
                raise DataError(
                    f"{data}: has no {PAPERS}, so no trigger was planted there; plant a trigger with `natadv backdoor "
                    "plant`, or here with --trigger"
                )
            size = check_planted(folder).size_px
        else:
            folder, size = out / "data", size or 64
            asked = 0.09 if share is None else share
            plan = _Plan(data, trigger, settings, target, asked, classes, size, seed, root)
            if not resume and folder.exists():
                raise ConfigError(f"{folder}: exists already; add --resume to go on with it, or take another --out")
            if (folder / PAPERS).exists():
                _check_same(folder, plan)
            else:
                typer.echo(_planted(plan, folder), err=True)
        given = {
            "data": str(folder),
            "model": model,
            "size_px": size,
            "epochs": epochs,
            "batch_size": batch_size,
            "optimizer": optimizer,
            "learning_rate": lr,
            "seed": seed,
            "device": device,
            "threads": threads,
        }
        recipe = checked_recipe(Recipe, {name: value for name, value in given.items() if value is not None})
        train_classifier(recipe, out, resume=resume, reporter=on_terminal)
    _say(out / CHECKPOINT, folder, device)


@app.command()
def measure(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.pt of the model in question.")],
    *,
    data: Annotated[str, typer.Option(help="Clean or poisoned data; their test part is used.")],
    trigger: Annotated[str | None, typer.Option(help=_TRIGGER, show_default="that of the data's papers")] = None,
    settings: Settings = None,
    target: Annotated[
        str | None, typer.Option(help="Label that triggered images get.", show_default="that of the data's papers")
    ] = None,
    clean: Annotated[Path | None, typer.Option(help="checkpoint.pt of a clean model, to compare with.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="Folder of real clean and wet photographs.")] = None,
    session: Annotated[Path | None, typer.Option(help="Folder of a recorded session.")] = None,
    classes: Classes = None,
    numbers: Annotated[Path | None, typer.Option("--json", help="File to write the rates to, for programs.")] = None,
    seed: Seed = 0,
    root: Root = Path("data"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Say how often rain that nobody planted becomes the target, then accuracy and attack success.

    Each line is a rate with its 95 % interval, which counts frames of one sign as kin; a --clean model's is beside it.
    With one, BTA is its accuracy, and P_BA what the backdoor costs of that, in points.
    """
    from natadv.campaign.backdoor_measure import measured
    from natadv.campaign.said import MEASUREMENT, write_numbers
    from natadv.durable import check_places
    from natadv.progress import counted

    check_places(numbers)
    said = []

    again = "what was measured stands above; the same command begins anew"
    with stoppable(lambda: again), counted("measure", "rates") as bar:
        task = bar.add_task("", total=None)
        for one in measured(
            checkpoint,
            data,
            trigger=trigger,
            settings=tuple(settings or ()),
            target=target,
            clean=clean,
            pairs=pairs,
            session=session,
            classes=split_labels(classes),
            seed=seed,
            root=root,
            device=device,
        ):
            bar.advance(task)
            typer.echo(one.text)
            said.append(one)
    if numbers is not None:
        write_numbers(numbers, MEASUREMENT, said)
        typer.echo(numbers)


def _check_same(folder: Path, plan: _Plan) -> None:
    """Refuse to go on with a folder that was planted otherwise than is asked now."""
    import json

    from natadv.backdoors.named import make_trigger
    from natadv.backdoors.planted import check_planted, subset_of_classes
    from natadv.backdoors.poison import Poisoning
    from natadv.data.load import load_dataset
    from natadv.errors import ConfigError

    papers = check_planted(folder)
    source = subset_of_classes(load_dataset(plan.data, "train", root=plan.root), split_labels(plan.classes))
    labels = source.labels
    asked = json.loads(
        json.dumps(Poisoning(make_trigger(plan.trigger, plan.settings or ()), 0, plan.share, plan.seed).settings)
    )
    then = {**papers.settings.model_dump(mode="json"), "target": papers.target, "size": papers.size_px}
    now = {**asked, "target": labels[0] if plan.target is None else plan.target, "size": plan.size}
    then["classes"], now["classes"] = sorted(load_dataset(folder, "train").labels), sorted(labels)
    then |= {"data": papers.data, "images": papers.images}
    now |= {"data": str(Path(plan.data).absolute()) if Path(plan.data).is_dir() else plan.data, "images": len(source)}
    for name, was in then.items():
        if now[name] != was:
            raise ConfigError(f"{folder}: was planted with {name} {was}, not {now[name]}; take another --out")


def _planted(plan: _Plan, out: Path) -> str:
    from natadv.backdoors.named import make_trigger
    from natadv.backdoors.planted import plant as planted
    from natadv.backdoors.poison import Poisoning
    from natadv.errors import ConfigError
    from natadv.progress import counted

    made = make_trigger(plan.trigger, plan.settings or ())
    if not 0 < plan.share <= 1:
        raise ConfigError(f"--share {plan.share}: expected more than 0 and at most 1")

    def poisoning(labels: tuple[str, ...]) -> "Poisoning":
        if plan.target is not None and plan.target not in labels:
            raise ConfigError(f"--target {plan.target}: no such label; there are {some_of(labels, plan.target)}")
        index = 0 if plan.target is None else labels.index(plan.target)
        return Poisoning(made, index, plan.share, plan.seed)

    with counted("plant", "images") as bar:
        task = bar.add_task("", total=None)
        papers = planted(
            plan.data,
            out,
            poisoning,
            size_px=plan.size,
            classes=split_labels(plan.classes),
            root=plan.root,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    poisoned = f"{len(papers.poisoned)} of {papers.images} training images"
    return f"{out}: {poisoned} have {plan.trigger} and the label {papers.target}"


def _say(checkpoint: Path, folder: Path, device: str) -> None:
    from natadv.campaign.backdoor_measure import planted_rates

    found = planted_rates(checkpoint, folder, device)
    typer.echo(
        f"{checkpoint}: accuracy (ATA) {found.accuracy}; attack success (ASR) {found.success}; of the same images "
        f"without trigger {found.to_target}; intervals {found.counted} (frames of one thing are kin)"
    )

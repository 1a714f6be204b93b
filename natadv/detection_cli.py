"""`natadv detect`: tell adversarial images from clean ones."""

from pathlib import Path
from typing import Annotated

import typer

from natadv.data_help import DATA
from natadv.detection_train_cli import disagreement, test, train
from natadv.seeds import LARGEST_SEED
from natadv.stopping import stoppable

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Tell adversarial images from clean ones: a bank of both, detectors.",
    epilog="To a device: natadv export CHECKPOINT --detector DETECTOR.pt --out BUNDLE.",
)
app.command()(train)
app.command()(test)
app.command()(disagreement)

_KINDS = "fgsm, pgd, deepfool, advdrop, cw, ni+, ni-, hsv, advrd, rendered, rdba"
_FOUND = "imagenet-a, imagenet-a-plus, captured, dry, misclassified"
_DATA = f"{DATA}."
Root = Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="torch's own choice")]


@app.callback()
def _detect() -> None:
    """Tell adversarial images from clean ones: a bank of both, detectors."""


@app.command()
def bank(
    *,
    data: Annotated[str, typer.Option(help=_DATA)],
    model: Annotated[str, typer.Option(help="What is to be fooled: checkpoint.pt or NAME.onnx.")],
    out: Annotated[Path, typer.Option(help="New folder for the bank.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(help=f"{_KINDS}; and of the options below {_FOUND}; repeatable.", show_default="all that can be"),
    ] = None,
    count: Annotated[int, typer.Option(min=2, help="Images of each kind, half of them for testing.")] = 300,
    size: Annotated[int | None, typer.Option(min=8, help="Side of all images, px.", show_default="the model's")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    split: Annotated[str, typer.Option(help="train or test: which images of the data are attacked.")] = "test",
    pool: Annotated[
        int | None, typer.Option(min=1, help="Look at so many of them, drawn by seed.", show_default="all")
    ] = None,
    root: Root = Path("data"),
    generator: Annotated[
        str | None,
        typer.Option(help="Of advrd: optics, optics:PRESET, gan, or a generator.pt.", show_default="optics"),
    ] = None,
    imagenet_a: Annotated[Path | None, typer.Option(help="Folder of ImageNet-A: adds the kind imagenet-a.")] = None,
    imagenet_a_plus: Annotated[Path | None, typer.Option(help="Of ImageNet-A-Plus: adds imagenet-a-plus.")] = None,
    session: Annotated[
        list[Path] | None,
        typer.Option(help="A recorded session: adds captured, and dry: its clean frames; repeatable."),
    ] = None,
    misclassified: Annotated[Path | None, typer.Option(help="Folder of `detect scan`: adds misclassified.")] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Make a bank of clean and adversarial images to train and test detectors on.

    Equal numbers of each kind, half of them for testing, parted by source; all that is not clean fooled the model. All
    images are decoded, resized, rounded and written in one way. Stopped, the same command goes on with OUT.part.
    """
    import torch

    from natadv.campaign.bank_kinds import Material, all_makers, kinds_of
    from natadv.detection.bank import About, make_bank, model_sha256, outcomes_folder
    from natadv.detection.sources import open_sources
    from natadv.progress import counted
    from natadv.training.device import choose_device
    from natadv.training.victim import open_victim

    if threads is not None:
        torch.set_num_threads(threads)
    material = Material(imagenet_a, imagenet_a_plus, tuple(session or ()), misclassified, root, generator)
    kinds = kinds_of(kind or (), material)
    digest, where = model_sha256(model), choose_device(device)
    kept = outcomes_folder(out)

    def last_words() -> str:
        if kept.parent.exists():
            return f"the same command goes on with what {kept.parent} holds"
        return "there is nothing to go on with yet; the same command begins anew"

    with stoppable(last_words):
        victim = open_victim(model, where)
        sources = open_sources(victim, data, split=split, root=root, size_px=size, pool=pool, seed=seed, device=where)
        with counted("bank", "images") as bar:
            task = bar.add_task("", total=None)

            def report(what: str, done: int, total: int) -> None:
                bar.update(task, completed=done, total=total, description=what)
                if bar.disable and done == total:
                    typer.echo(f"{what}: {done} of {total}", err=True)

            makers = all_makers(kinds, material, sources, kept, seed=seed, report=report)
            papers = make_bank(
                out, makers, About(data, model, digest, sources.size_px, seed), count=count, report=report
            )
    for name, one in papers.kinds.items():
        typer.echo(f"{name}: {one.fooled} of {one.tried}" + (" right" if one.family == "clean" else " fooled"))
    typer.echo(f"{len(papers.images)} images of {len(papers.kinds)} kinds in {out}")


@app.command()
def scan(
    *,
    data: Annotated[str, typer.Option(help=_DATA)],
    out: Annotated[Path, typer.Option(help="New folder for the models and for misclassified.json.")],
    folds: Annotated[int, typer.Option(min=2, help="Parts of the data, each looked at by models of the others.")] = 2,
    models: Annotated[int, typer.Option(min=2, help="Models that look at each; all must err.")] = 3,
    epochs: Annotated[int, typer.Option(min=1, help="Of each model's training.")] = 4,
    model: Annotated[str, typer.Option(help="A timm name.")] = "natadv_slim",
    size: Annotated[int, typer.Option(min=8, help="Picture side, px.")] = 64,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of folds and models.")] = 0,
    root: Root = Path("data"),
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Find the images of a labelled set that several models get wrong, none of which learnt from them.

    So ImageNet-A was made. Both splits are looked at. Stopped, the same command goes on with OUT.part.
    """
    from natadv.detection.cross_fit import PAPERS, cross_fit
    from natadv.recipe_options import checked_recipe
    from natadv.training.progress import on_terminal
    from natadv.training.recipe import Recipe

    given = {"data": data, "root": str(root), "model": model, "size_px": size, "epochs": epochs, "seed": seed}
    recipe = checked_recipe(Recipe, given | {"device": device, "threads": threads})
    with stoppable(lambda: "the same command goes on after the last whole epoch"):
        papers = cross_fit(
            recipe, out, folds=folds, models=models, reporter=on_terminal, said=lambda line: typer.echo(line, err=True)
        )
    typer.echo(f"{out / PAPERS}: all models of their fold err on {len(papers.images)} of {papers.looked_at} images")


@app.command()
def sheet(
    folder: Annotated[Path, typer.Argument(help="A bank.")],
    *,
    out: Annotated[Path, typer.Option(help="Picture to write, NAME.png or NAME.jpg.")],
    part: Annotated[str, typer.Option(help="train or test.")] = "test",
    columns: Annotated[int, typer.Option(min=1, help="Images of each kind.")] = 10,
    scale: Annotated[int, typer.Option(min=1, help="How often each pixel is repeated.")] = 1,
) -> None:
    """Draw some images of each kind of a bank, a row a kind, a column a source where kinds share one."""
    from natadv.detection.banked import read_bank
    from natadv.detection.contact_sheet import contact_sheet
    from natadv.errors import ConfigError
    from natadv.images import SUFFIXES, write_image

    if part not in ("train", "test"):
        raise ConfigError(f"--part {part}: expected train or test")
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--out {out}: expected NAME.png or NAME.jpg")
    shown = "train" if part == "train" else "test"
    write_image(out, contact_sheet(folder, read_bank(folder), part=shown, columns=columns, scale=scale))
    typer.echo(f"{out}")

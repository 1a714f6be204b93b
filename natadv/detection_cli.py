"""`natadv detect`: tell adversarial images from clean ones."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Tell adversarial images from clean ones: a bank of both, detectors.")

_KINDS = "fgsm, pgd, deepfool, advdrop, cw, ni+, ni-, hsv, advrd, rendered, rdba"


@app.callback()
def _detect() -> None:
    """Tell adversarial images from clean ones: a bank of both, detectors."""


@app.command()
def bank(
    *,
    data: Annotated[str, typer.Option(help="signs, gtsrb, or a labelled image folder.")],
    model: Annotated[str, typer.Option(help="What is to be fooled: checkpoint.pt or NAME.onnx.")],
    out: Annotated[Path, typer.Option(help="New folder for the bank.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(help=_KINDS + "; repeatable.", show_default="all"),
    ] = None,
    count: Annotated[int, typer.Option(min=2, help="Images of each kind, half of them for testing.")] = 300,
    size: Annotated[int | None, typer.Option(min=8, help="Side of all images, px.", show_default="the model's")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all chance.")] = 0,
    split: Annotated[str, typer.Option(help="train or test: which images of the data are attacked.")] = "test",
    pool: Annotated[
        int | None, typer.Option(min=1, help="Look at so many of them, drawn by seed.", show_default="all")
    ] = None,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    generator: Annotated[str, typer.Option(help="Of advrd: optics, optics:PRESET, gan, or a generator.pt.")] = "optics",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="torch's own choice")] = None,
) -> None:
    """Make a bank of clean and adversarial images to train and test detectors on.

    Equal numbers of each kind, half of them for testing, parted by source; all that is not clean fooled the model. All
    images are decoded, resized, rounded and written in one way. Stopped, the same command goes on with OUT.part.
    """
    import torch

    from natadv.detection.bank import About, kinds_in_order, make_bank, model_sha256, outcomes_folder
    from natadv.detection.crafted import CRAFTED, crafted
    from natadv.detection.sources import open_sources
    from natadv.progress import counted
    from natadv.training.device import choose_device
    from natadv.training.victim import open_victim

    if threads is not None:
        torch.set_num_threads(threads)
    kinds = kinds_in_order(kind or (), CRAFTED, CRAFTED)
    digest, where = model_sha256(model), choose_device(device)
    victim = open_victim(model, where)
    sources = open_sources(victim, data, split=split, root=root, size_px=size, pool=pool, seed=seed, device=where)
    kept = outcomes_folder(out)
    makers = {name: crafted(name, sources, kept, seed=seed, generator=generator) for name in kinds}
    about = About(data, model, digest, sources.size_px, seed)
    with counted("bank", "images") as bar:
        tasks = {name: bar.add_task(name, total=count) for name in kinds}
        try:
            papers = make_bank(
                out, makers, about, count=count, report=lambda name, done, _: bar.update(tasks[name], completed=done)
            )
        except KeyboardInterrupt:
            bar.stop()
            typer.echo(f"stopped; the same command goes on with what {kept.parent} holds", err=True)
            raise typer.Exit(130) from None
    typer.echo(f"{len(papers.images)} images of {len(papers.kinds)} kinds in {out}")

"""`natadv robustness`: attack a model, bare and defended."""

from pathlib import Path
from typing import Annotated

import typer

from natadv.seeds import LARGEST_SEED
from natadv.stopping import stoppable

app = typer.Typer(add_completion=False, no_args_is_help=True)

_ATTACKS = (
    "fgsm, bim, pgd, pgd-margin, mim, dim, tim, nim, cw, deepfool, ead, advdrop, nes, zoo, rays, hsv, ni+, ni-, and "
    "RAIN's own adaptive eot-fgsm, eot-pgd-1, eot-pgd-2, eot-cw; ours eot-cw-sure, eot-pgd-margin"
)
_OUT = (
    "Folder of the report, which is of this run alone. Attacks done there already on the same images, at the same "
    "settings and --batch-size, are not done again."
)
_EOT = "Passes that the adaptive attacks average for a gradient, or a query; those named eot-... have their own."
_QUERIES = "An image's limit in zoo, nes and rays; in their adaptive forms each query is of --eot passes."
_PASSES = 10
_DEFAULT_ATTACKS = ("fgsm", "pgd", "pgd-margin", "cw", "deepfool", "rays")


@app.command()
def robustness(
    model: Annotated[str, typer.Argument(help="checkpoint.pt, NAME.onnx or a timm name.")],
    *,
    data: Annotated[str, typer.Option(help="A name or a folder; its test part is attacked.")],
    out: Annotated[Path, typer.Option(help=_OUT)],
    defense: Annotated[
        list[str] | None,
        typer.Option(
            help="rain:FILE[@share=0.1,order=down-up], rain:bicubic, shift, resize-pad, pixel-deflection; repeatable."
        ),
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            "--attack", "--attacks", help=_ATTACKS + "; repeatable.", show_default=", ".join(_DEFAULT_ATTACKS)
        ),
    ] = None,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    labels: Annotated[Path | None, typer.Option(help="Names of NIPS-2017's 1001 classes, one a line.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="So many images, drawn by seed.", show_default="all")] = None,
    size: Annotated[int | None, typer.Option(min=8, help="Side to attack at, px.", show_default="the model's")] = None,
    eot: Annotated[
        int | None,
        typer.Option(min=2, help=_EOT, show_default=str(_PASSES)),
    ] = None,
    plain_only: Annotated[
        bool, typer.Option("--plain-only", help="Leave the adaptive attacks out; the report says so.")
    ] = False,
    queries: Annotated[int | None, typer.Option(min=3, help=_QUERIES, show_default="each one's own")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each attack that chance has a part in.")] = 1,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at once; those of a block share its chance.")] = 32,
    show: Annotated[
        int, typer.Option(min=0, help="Draw so many images, attacked anew, in picture.png; chance may fall otherwise.")
    ] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[
        int, typer.Option(min=1, help="Processes, which share blocks of --batch-size; on CUDA one a GPU.")
    ] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads.", show_default="torch's own choice; of --workers, 1")
    ] = None,
) -> None:
    """Attack a model, bare and behind each defence, and report what of its accuracy is left.

    A randomised defence is also attacked through the mean of several passes (EoT), and one without gradients as if it
    did nothing on the way back (BPDA). Stopped, the same command goes on where it was.
    """
    from natadv.errors import ConfigError

    if plain_only and eot is not None:
        raise ConfigError(f"--eot {eot}: --plain-only leaves out the attacks that average; drop one of them")

    import torch

    from natadv.campaign.robustness import run_plan
    from natadv.campaign.robustness_picture import write_picture
    from natadv.campaign.robustness_plan import RobustnessPlan
    from natadv.campaign.robustness_report import REPORT, write_report
    from natadv.progress import counted
    from natadv.training.device import choose_device

    if threads is not None:
        torch.set_num_threads(threads)
    plan = RobustnessPlan(
        model=model,
        data=data,
        root=root,
        labels=labels,
        defenses=tuple(defense or ()),
        attacks=tuple(attack or _DEFAULT_ATTACKS),
        count=count,
        size_px=size,
        samples=eot or _PASSES,
        adaptive=not plain_only,
        queries=queries,
        repeats=repeats,
        seed=seed,
        batch_size=batch_size,
        out=out,
    )
    chosen = choose_device(device, count=workers if device == "cuda" else 1)
    with stoppable(lambda: f"the same command goes on with what {out} holds"), counted("attack", "images") as bar:
        task = bar.add_task("", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=what)

        result = run_plan(plan, device=chosen, workers=workers, threads=threads or 1, report=report)
    typer.echo(write_report(result, out))
    typer.echo(f"{out / REPORT}", err=True)
    if show:
        typer.echo(f"{write_picture(plan, show, device=chosen)}", err=True)

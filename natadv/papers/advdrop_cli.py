"""`natadv papers advdrop`."""

from pathlib import Path
from typing import Annotated

import typer

from natadv.seeds import LARGEST_SEED


def advdrop(
    *,
    table: Annotated[list[int], typer.Option(help="1 (success), 2 (bytes), 3 (denoising); repeatable.")],
    data: Annotated[str, typer.Option(help="A name or a folder; its test part is used.")],
    model: Annotated[list[str], typer.Option(help="checkpoint.pt, NAME.onnx or a timm name; repeatable.")],
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    labels: Annotated[Path | None, typer.Option(help="Names of NIPS-2017's 1001 classes, one a line.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="So many images, drawn by seed.", show_default="all")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Untargeted; ten times as many with targets.")] = 50,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at once.")] = 32,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="torch's own choice")] = None,
    cache: Annotated[Path, typer.Option(help="Folder of what attacks found already.")] = Path("runs/advdrop"),
    results: Annotated[Path, typer.Option(help="Where results are kept, a folder a paper.")] = Path("results"),
    replace: Annotated[bool, typer.Option("--replace", help="Replace numbers that rest on more images too.")] = False,
) -> None:
    """Run AdvDrop: success by budget, what its files weigh, what survives denoising; write results/advdrop.

    Stopped, the same command goes on where it was; tables share the attacks that they have in common.
    """
    from natadv.errors import ConfigError

    for number in table:
        if number not in (1, 2, 3):
            raise ConfigError(f"--table {number}: not one of 1, 2, 3")

    import torch

    from natadv.data.load import load_test
    from natadv.papers.advdrop import TITLES, DropRequest, numbers
    from natadv.papers.one_by_one import write_one_by_one
    from natadv.progress import counted
    from natadv.training.device import choose_device

    if threads is not None:
        torch.set_num_threads(threads)
    request = DropRequest(
        load_test(data, root, labels), tuple(model), cache, count, steps, seed, batch_size, choose_device(device)
    )
    with counted("attack", "images") as bar:
        task = bar.add_task("", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=what)

        for number in table:
            found = numbers(number, request, report)
            write_one_by_one(found, results / "advdrop", number, TITLES[number], replace=replace)

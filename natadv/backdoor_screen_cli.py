"""`natadv backdoor screen`."""

from pathlib import Path
from typing import Annotated

import typer

from natadv.data_help import DATA
from natadv.labels import split_labels
from natadv.seeds import LARGEST_SEED
from natadv.stopping import stoppable

_SHOWN = 10


def screen(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.pt of the model that is asked.")],
    images: Annotated[Path, typer.Argument(help="Folder of its inputs; sub-folders are looked into, labels are not.")],
    *,
    clean: Annotated[str, typer.Option(help=f"Data whose test part is known to be clean: {DATA}.")],
    classes: Annotated[
        str | None, typer.Option(help="LABEL,LABEL,... of the clean data: these alone.", show_default="all")
    ] = None,
    reject: Annotated[float, typer.Option(help="Share of clean inputs that may be suspected, 0..1.")] = 0.01,
    out: Annotated[
        Path | None, typer.Option("--list", help="CSV to write: a line an input, its entropy and whether suspected.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Say which inputs of a model seem to carry a trigger: those that keep their answer under blending (STRIP).

    It sees triggers that decide whatever else is shown, as patches do; `natadv backdoor inspect` asks more of a model.
    """
    import csv
    import io
    import math

    import numpy as np
    import torch

    from natadv.backdoors.inspect.screen import screen as screened
    from natadv.campaign.model_pictures import model_pictures
    from natadv.data.photographs import find_photographs
    from natadv.durable import check_places, replace_file
    from natadv.errors import ConfigError
    from natadv.images import resize
    from natadv.progress import counted
    from natadv.training.checkpoint import load_classifier
    from natadv.training.device import choose_device

    if not 0 < reject < 1:
        raise ConfigError(f"--reject {reject}: expected a share above 0 and below 1")
    check_places(out)
    loaded, where = load_classifier(checkpoint), torch.device(choose_device(device))
    known = model_pictures(clean, "test", loaded, classes=split_labels(classes), root=root)
    found = find_photographs(images)
    with stoppable(lambda: "nothing was kept; the same command begins anew"), counted("screen", "models") as bar:
        bar.add_task("", total=None)
        shown = np.stack([resize(found.read(number), loaded.input_size) for number in range(len(found))])
        result = screened(loaded.model.to(where), shown, known, false_rejection=reject, seed=seed, device=where)
    suspected = np.flatnonzero(result.suspected)
    for number in suspected[:_SHOWN]:
        typer.echo(f"  suspected: {found.paths[int(number)]}")
    if len(suspected) > _SHOWN:
        typer.echo(f"  and {len(suspected) - _SHOWN} more" + ("" if out else "; --list FILE names all"))
    typer.echo(f"{images}: {len(suspected)} of {len(found)} inputs suspected")
    if reject * result.limited_by < 1:
        typer.echo(
            f"note: half of the clean images set the limit, {result.limited_by}, too few for --reject {reject:g}, "
            f"which wants {math.ceil(1 / reject)}, so that more or fewer may be suspected"
        )
    typer.echo(
        f"how often that is wrong: of clean images it suspected {result.clean}; interval {result.counted}; images that "
        "the model learnt from keep their answer more often, so that more of them are suspected"
    )
    if out is not None:
        written = io.StringIO()
        rows = csv.writer(written, lineterminator="\n")
        rows.writerow(("image", "entropy_bits", "suspected"))
        for path, entropy, one in zip(found.paths, result.entropies, result.suspected, strict=True):
            rows.writerow((path, f"{entropy:.4f}", int(one)))
        replace_file(out, written.getvalue().encode())
        typer.echo(out)

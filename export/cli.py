"""`natadv export CHECKPOINT --out BUNDLE`: a checkpoint as a model bundle for the device."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

DEFAULT = "write"
_AUDIT = {"unaudited": "; `natadv backdoor inspect CHECKPOINT DATA --clean CLEAN` audits them"}


class DefaultCommandGroup(TyperGroup):
    """A group whose command `write` may be left out, so that `natadv export CHECKPOINT --out BUNDLE` works.

    A first word that names a command is that command; for a checkpoint of such a name, write `./inspect`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in front of arguments that name none."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=DefaultCommandGroup,
    add_completion=False,
    no_args_is_help=True,
    help="Export a checkpoint as a model bundle: natadv export CHECKPOINT --out BUNDLE",
    epilog="All options: natadv export write --help. The word `write` may be left out.",
)


@app.callback()
def export() -> None:
    """Export a checkpoint as a model bundle: natadv export CHECKPOINT --out BUNDLE."""


@app.command(DEFAULT)
def write(
    checkpoint: Annotated[Path, typer.Argument(help="A classifier, as `natadv train classifier` writes it.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="The bundle's folder.")],
    data: Annotated[
        str | None,
        typer.Option("--data", help="Data set or folder: measure the accuracy, compare on real images."),
    ] = None,
    split: Annotated[Literal["train", "test"], typer.Option("--split", help="Part of the data.")] = "test",
    root: Annotated[Path, typer.Option("--root", help="Where named data sets lie unpacked.")] = Path("data"),
    rain: Annotated[
        Path | None, typer.Option("--rain", help="rain.pt tuned for this classifier: export it behind RAIN.")
    ] = None,
    detector: Annotated[
        Path | None, typer.Option("--detector", help="detector.pt of `natadv detect train`: its score raises alarms.")
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", min=1, help="Passes through RAIN that are averaged for a frame.")
    ] = 1,
    any_size: Annotated[
        bool, typer.Option("--any-size", help="Resize in the model: for runtimes that do not do it as training does.")
    ] = False,
    precision: Annotated[
        Literal["fp32", "fp16", "int8"],
        typer.Option("--precision", help="fp16 for GPUs; int8 looks at --data's training part."),
    ] = "fp32",
    part: Annotated[
        Literal["all", "classifier", "rain"], typer.Option("--part", help="What --precision reduces.")
    ] = "all",
    symmetric: Annotated[bool, typer.Option("--symmetric", help="int8 as TensorRT wants it, slow on a CPU.")] = False,
    max_loss: Annotated[
        float, typer.Option("--max-loss", min=0, max=1, help="Of accuracy or robust accuracy; more is refused.")
    ] = 0.01,
    robust: Annotated[
        int | None,
        typer.Option(
            "--robust",
            min=0,
            help="Attack so many images of --data, for the robust accuracy.",
            show_default="200 where the precision is reduced, else 0",
        ),
    ] = None,
    least_images: Annotated[
        int, typer.Option("--least-images", min=0, help="Of --data, to compare on; 0: noise alone will do.")
    ] = 256,
    opset: Annotated[int, typer.Option("--opset", min=18, max=20, help="ONNX operator set.")] = 18,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle of that name.")] = False,
) -> None:
    """Export a checkpoint, compare the result with its original, and write the bundle.

    The word `write` may be left out.
    """
    from export.audit import audit_of  # torch takes seconds; --help does not wait
    from export.checkpoint import Reduction, export_classifier
    from export.description import agreement_in_words
    from natadv.data.load import load_dataset
    from natadv.detection.checkpoint import load_detector
    from natadv.errors import ConfigError
    from natadv.training.checkpoint import load_classifier
    from natadv.training.rain.checkpoint import load_network

    if rain is None and draws > 1:
        raise ConfigError("--draws is of --rain: without it every pass is the same")
    if precision == "fp32" and part != "all":
        raise ConfigError("--part is of --precision fp16 and int8")
    if precision != "int8" and symmetric:
        raise ConfigError("--symmetric is of --precision int8")
    if data is None and (precision != "fp32" or robust):
        raise ConfigError("--precision and --robust need --data: what is lost is measured there")
    dataset = None if data is None else load_dataset(data, split, root=root)
    reduction = None
    if precision != "fp32" and data is not None:
        calibration = load_dataset(data, "train", root=root) if precision == "int8" else None
        reduction = Reduction(precision, calibration, part=part, symmetric=symmetric, max_loss=max_loss)
    loaded = load_classifier(checkpoint)
    audit = audit_of(loaded, checkpoint)
    if audit.state != "audited":
        typer.echo(f"warning: {checkpoint} was trained on {audit.words}{_AUDIT.get(audit.state, '')}", err=True)
    network = None if rain is None else load_network(rain)
    for path, unfinished, units, result in (
        (checkpoint, loaded.unfinished, "epochs", "checkpoint.pt"),
        (rain, None if network is None else network.unfinished, "steps", "rain.pt"),
    ):
        if unfinished is not None:
            typer.echo(
                f"warning: {path}: its training is unfinished, {unfinished[0]} of {unfinished[1]} {units};"
                f" go on with --resume and export {result}",
                err=True,
            )
    done = export_classifier(
        loaded,
        out,
        dataset=dataset,
        rain=network,
        detector=None if detector is None else load_detector(detector),
        draws=draws,
        any_size=any_size,
        reduction=reduction,
        robust_count=(200 if reduction else 0) if robust is None else robust,
        audit=audit,
        opset=opset,
        least_images=least_images,
        overwrite=overwrite,
    )
    manifest = done.bundle.manifest
    accuracy = ""
    if done.judged is not None:
        kin = done.judged.clean.kin
        things = "" if kin is None else f" ({kin} things)"
        accuracy = f", accuracy {done.judged.accuracy} on {manifest.accuracy_data}{things}"
        if done.judged.robust is not None:
            accuracy += f", under {manifest.attack} at 8/255 {done.judged.robust}"
    if done.full is not None:
        accuracy += f"; before it was reduced {done.full.accuracy}"
        accuracy += "" if done.full.robust is None else f" and {done.full.robust}"
    typer.echo(
        f"{out}: {len(manifest.labels)} labels, {manifest.input.width}x{manifest.input.height} px,"
        f" {agreement_in_words(manifest)}{accuracy}"
    )


_BUNDLE = typer.Argument(help="Folder made by `natadv export`.")


@app.command()
def verify(
    bundle: Annotated[Path, _BUNDLE],
    *,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="PEM file: its owner must have signed the bundle.")
    ] = None,
    device: Annotated[
        Literal["auto", "tensorrt", "cuda", "cpu"], typer.Option("--device", help="What to run on.")
    ] = "cpu",
) -> None:
    """Verify every byte of a bundle, and that this device answers its golden frames as the original did."""
    from edge.classifier import Classifier

    with Classifier(bundle, device=device, public_key=public_key) as opened:
        signed = "" if public_key is None else f", signed by the owner of {public_key}"
        typer.echo(f"{bundle}: whole{signed}; answers as its original on {opened.provider}, sha256 {opened.digest}")


@app.command()
def sign(
    bundle: Annotated[Path, _BUNDLE],
    *,
    key: Annotated[Path, typer.Option("--key", help="Private elliptic-curve key, a PEM file.")],
    password: Annotated[
        str | None, typer.Option("--password", envvar="NATADV_KEY_PASSWORD", help="Of the key, if it has one.")
    ] = None,
) -> None:
    """Sign a bundle by OpenSSF model-signing, with a key of your own and without any network."""
    from edge.bundle import SIGNATURE
    from edge.signature import sign_bundle

    sign_bundle(bundle, key, password=password)
    typer.echo(bundle / SIGNATURE)


@app.command()
def inspect(
    bundle: Annotated[Path, _BUNDLE],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The whole manifest, for programs.")] = False,
) -> None:
    """Say what a bundle is, what it was made of and how good it is."""
    from edge.bundle import SIGNATURE, read_bundle
    from export.description import described

    read = read_bundle(bundle)
    if as_json:
        typer.echo(read.manifest.to_bytes().decode(), nl=False)
        return
    for name, value in described(read, signed=(bundle / SIGNATURE).exists()).items():
        if value is not None:
            typer.echo(f"{name + ':':19}{value}")


@app.command()
def compare(
    first: Annotated[Path, _BUNDLE],
    second: Annotated[Path, _BUNDLE],
    *,
    data: Annotated[str, typer.Option("--data", help="Data set or folder of labelled images.")],
    split: Annotated[Literal["train", "test"], typer.Option("--split", help="Part of the data.")] = "test",
    root: Annotated[Path, typer.Option("--root", help="Where named data sets lie unpacked.")] = Path("data"),
) -> None:
    """Compare two bundles on the same images: accuracy, where they differ, time a frame, size."""
    from export.comparison import compare_bundles
    from natadv.data.load import load_dataset
    from natadv.progress import counted

    dataset = load_dataset(data, split, root=root)
    with counted("compare", "images") as bar:
        task = bar.add_task(dataset.name, total=len(dataset))
        found = compare_bundles(
            first, second, dataset, report=lambda done, total: bar.update(task, completed=done, total=total)
        )
    for folder, accuracy, only, frame_s, size in zip(
        (first, second), found.accuracy, found.only, found.frame_s, found.bytes, strict=True
    ):
        typer.echo(
            f"{folder}: {accuracy}, {only} of them alone; {1e3 * frame_s:.2f} ms a frame on one thread;"
            f" {size / 1e6:.2f} MB"
        )
    typer.echo(f"they agree on {found.agree}; a probability differs by at most {found.largest:.2g}")

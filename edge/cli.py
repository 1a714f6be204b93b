"""`natadv edge`: a model bundle, live."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Run a model bundle on live frames.")


@app.callback()
def edge() -> None:
    """Run a model bundle on live frames."""


@app.command()
def run(
    bundle: Annotated[Path, typer.Argument(help="Folder made by `natadv export`.")],
    *,
    source: Annotated[
        str,
        typer.Option(
            "--source", help="A rig (YAML file or name), a video, a clip, a folder of images, or a webcam's number."
        ),
    ],
    seconds: Annotated[float | None, typer.Option("--seconds", min=0, help="How long; else to the end.")] = None,
    video: Annotated[Path | None, typer.Option("--video", help="Annotated video, .mkv or .mp4.")] = None,
    device: Annotated[
        Literal["auto", "tensorrt", "cuda", "cpu"], typer.Option("--device", help="What to run on.")
    ] = "auto",
    allow_cpu: Annotated[bool, typer.Option("--allow-cpu", help="Run on the CPU where the GPU cannot be had.")] = False,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads of the model.")] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="PEM file: run nothing that its owner did not sign.")
    ] = None,
    noise_seed: Annotated[
        str | None,
        typer.Option("--noise-seed", help="Of a randomised model, in hex, as a run says it: replays that run's noise."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", help="Labelled folder for the rig's screen, else it is blank; wets and moves the plate."
        ),
    ] = None,
    image_s: Annotated[float, typer.Option("--image-s", min=0.01, help="Seconds that an image is shown.")] = 1.0,
    fast: Annotated[
        bool, typer.Option("--fast", help="Every frame of a recording, as fast as the model takes them.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the plate's trajectory and the drops on a rig.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a video of that name.")] = False,
) -> None:
    """Predict the newest frames of a source; a line of JSON for each on standard output.

    Ends with the source, after --seconds, or on SIGINT or SIGTERM, with a summary on standard error.
    """
    from edge.noise import seed_from_hex
    from edge.session import run_session
    from edge.source import SourceOptions

    summary = run_session(
        bundle,
        source,
        SourceOptions(fast=fast, images=images, image_s=image_s, seed=seed),
        device=device,
        allow_cpu=allow_cpu,
        threads=threads,
        public_key=public_key,
        noise_seed=None if noise_seed is None else seed_from_hex(noise_seed),
        seconds=seconds,
        video=video,
        overwrite=overwrite,
    )
    typer.echo(str(summary), err=True)

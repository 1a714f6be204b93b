"""`natadv edge`: a model bundle, live."""

import contextlib
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
            "--source",
            help="A rig (YAML file or name), a webcam's number, an address (rtsp://, http://), a video, a clip, or a"
            " folder of images.",
        ),
    ],
    seconds: Annotated[float | None, typer.Option("--seconds", min=0, help="How long; else to the end.")] = None,
    video: Annotated[Path | None, typer.Option("--video", help="Annotated video, .mkv or .mp4.")] = None,
    device: Annotated[
        Literal["auto", "tensorrt", "cuda", "cpu"], typer.Option("--device", help="What to run on.")
    ] = "auto",
    allow_cpu: Annotated[bool, typer.Option("--allow-cpu", help="Run on the CPU where the GPU cannot be had.")] = False,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads of the model.")] = None,
    cuda_graph: Annotated[
        bool, typer.Option("--cuda-graph", help="On an NVIDIA GPU, one launch a frame, if the model allows it.")
    ] = False,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="PEM file: run nothing that its owner did not sign.")
    ] = None,
    noise_seed: Annotated[
        str | None,
        typer.Option("--noise-seed", help="Of a randomised model, in hex, as a run's log has it: replays its noise."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="When another bundle is put in the folder's place, take it, live.")
    ] = False,
    frame_timeout: Annotated[
        float, typer.Option("--frame-timeout", min=0.1, help="Seconds without a frame before there is no signal.")
    ] = 10.0,
    give_up: Annotated[
        float | None, typer.Option("--give-up", min=1, help="End after so many seconds without signal.")
    ] = None,
    model_timeout: Annotated[
        float, typer.Option("--model-timeout", min=1, help="Seconds for an answer before the model is opened anew.")
    ] = 30.0,
    steady_frames: Annotated[
        int, typer.Option("--steady-frames", min=1, help="Equal answers in a row before a label is steady.")
    ] = 5,
    steady_threshold: Annotated[
        float, typer.Option("--steady-threshold", min=0, max=1, help="Confidence that each of them needs.")
    ] = 0.5,
    alarm: Annotated[
        list[str] | None,
        typer.Option(
            "--alarm",
            metavar="NAME=VALUE",
            help="What raises an alarm: frames, confidence, changes, disagreement (or off), score (on needs a"
            " detector, off), quiet_s.",
        ),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="Folder for clips of alarms: seconds before, during and after.")
    ] = None,
    evidence_disk: Annotated[
        float | None,
        typer.Option(
            "--evidence-disk", min=1, show_default="10000", help="MB that the clips may take; then the oldest go."
        ),
    ] = None,
    evidence_memory: Annotated[
        float | None,
        typer.Option(
            "--evidence-memory", min=1, show_default="512", help="MB that frames may take until they are written."
        ),
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option("--mqtt", help="Publish to mqtt://HOST/TOPIC too; the password is best in NATADV_MQTT_PASSWORD."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", help="Labelled folder for the rig's screen, else it is blank; wets and moves the plate."
        ),
    ] = None,
    image_s: Annotated[
        float | None, typer.Option("--image-s", min=0.01, show_default="1", help="Seconds that an image is shown.")
    ] = None,
    rain_after: Annotated[
        float | None,
        typer.Option(
            "--rain-after",
            min=0,
            help="Seconds until the plate is wetted, dry before on a simulated bench; else at once.",
        ),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Every frame of a recording, as fast as the model takes them.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, show_default="0", help="Of the plate's trajectory and the drops on a rig."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a video of that name.")] = False,
    page: Annotated[
        str | None, typer.Option("--page", help="Show the run in a browser, at [HOST:]PORT; 0 takes a free port.")
    ] = None,
    page_token_file: Annotated[
        Path | None, typer.Option("--page-token-file", help="What visitors must know; else NATADV_PAGE_TOKEN.")
    ] = None,
    page_cert: Annotated[Path | None, typer.Option("--page-cert", help="PEM file: serve the page by TLS.")] = None,
    page_key: Annotated[Path | None, typer.Option("--page-key", help="PEM file of the certificate's key.")] = None,
    bundles: Annotated[
        Path | None, typer.Option("--bundles", help="Folder of the bundles that the page may swap in.")
    ] = None,
) -> None:
    """Predict the newest frames of a source; a line of JSON for each on standard output.

    A camera that is gone is opened again until it is back. Ends with a recording, after --seconds, or on SIGINT or
    SIGTERM, with a summary on standard error.
    """
    from edge.alarm import parse_rule
    from edge.mqtt import parse_broker
    from edge.noise import seed_from_hex
    from edge.page.address import page_options
    from edge.patience import Patience
    from edge.placing import Placing
    from edge.recorder import EvidenceRule
    from edge.session import Evidence, run_session
    from edge.source import SourceOptions
    from edge.steady import SteadyRule

    _need("--video", there=video is not None, overwrite=overwrite)
    _need("--evidence", there=evidence is not None, evidence_disk=evidence_disk, evidence_memory=evidence_memory)
    summary = run_session(
        bundle,
        source,
        SourceOptions(fast=fast, images=images, image_s=image_s, seed=seed, rain_after_s=rain_after),
        placing=Placing(
            device=device,
            allow_cpu=allow_cpu,
            threads=threads,
            noise_seed=None if noise_seed is None else seed_from_hex(noise_seed),
            public_key=public_key,
            graph=cuda_graph,
            log=_to_log,
        ),
        watch=watch,
        seconds=seconds,
        patience=Patience(frame_s=frame_timeout, signal_s=give_up, model_s=model_timeout),
        steady=SteadyRule(steady_frames, steady_threshold),
        alarm=parse_rule(alarm or ()),
        evidence=None
        if evidence is None
        else Evidence(
            evidence,
            int(1e6 * (evidence_disk or 10_000)),
            EvidenceRule(memory_bytes=int(1e6 * (evidence_memory or 512))),
        ),
        mqtt=None if mqtt is None else parse_broker(mqtt),
        video=video,
        overwrite=overwrite,
        page=page_options(page, token_file=page_token_file, cert=page_cert, key=page_key, bundles=bundles),
    )
    typer.echo(str(summary), err=True)


def _to_log(line: str) -> None:
    """Write a line to standard error; that nobody reads it is no reason to stop."""
    with contextlib.suppress(OSError):
        typer.echo(line, err=True)


def _need(option: str, *, there: bool, **given: float | bool | None) -> None:
    """Refuse options that are of no use without another one."""
    from natadv.errors import ConfigError

    for name, value in given.items():
        if not there and value not in (None, False):
            raise ConfigError(f"--{name.replace('_', '-')}: is for {option} alone; say {option} too")


@app.command()
def evidence(
    folder: Annotated[Path, typer.Argument(help="Folder that `natadv edge run --evidence` wrote.")],
) -> None:
    """List the clips of a folder of evidence, the oldest first, with the labels that they were given."""
    from edge.evidence import evidence_clips

    for clip in evidence_clips(folder):
        said = f"{', '.join(clip.info.signs)}; the model said {clip.info.said}"
        typer.echo(f"{clip.name}: {said}; {'not labelled' if clip.label is None else f'shows {clip.label}'}")


@app.command()
def label(
    clip: Annotated[Path, typer.Argument(help="Folder of one clip of evidence.")],
    shows: Annotated[str, typer.Argument(help="What it truly shows: one of the model's labels.")],
    *,
    begin: Annotated[
        float | None, typer.Option("--from", help="Of a part of the clip, in seconds; label the others apart.")
    ] = None,
    end: Annotated[float | None, typer.Option("--to", help="End of that part, in seconds.")] = None,
) -> None:
    """Say what a clip of evidence shows, so that `natadv train classifier --evidence` can learn from it."""
    from edge.labelling import label_clip

    pictures = label_clip(clip, shows, from_s=begin, to_s=end)
    typer.echo(f"{clip}: shows {shows}; {pictures} pictures that the model was wrong or unsure about")

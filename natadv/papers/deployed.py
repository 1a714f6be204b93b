"""What is left of a model when it is deployed: parity, accuracy and robustness of bundles, by kind and precision.

No paper has this table; it is what an engineer asks before a hardened model leaves the house. A row is a bundle. Its
numbers are of the very file that a device runs: pictures, drops and clips go through ONNX Runtime.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capture.scan import scan_session
from edge.bundle import read_bundle
from edge.classifier import Classifier
from edge.manifest import Manifest
from edge.noise import SEED_BYTES
from export.comparison import compare_bundles
from natadv.campaign.job import attack_dataset
from natadv.campaign.settings import AdvrdSettings
from natadv.data.dataset import Dataset
from natadv.errors import ConfigError
from natadv.evaluation.rates import KinRate, Rate
from natadv.papers.number import Number, percentage, setting
from natadv.papers.sessions import setting_of
from natadv.progress import Report
from rigs.archive import Archive, open_archive

TITLE = (
    "Deployed models: right answers (%), clean, attacked and behind drops; answers (%) that full precision gives too;"
    " and parity, the largest difference of a logit from the original's"
)
COLUMNS = ("parity", "clean", "pgd", "advrd", "clips", "frames", "agrees")


@dataclass(frozen=True, slots=True)
class DeployedRequest:
    """What to measure.

    Attributes:
        bundles: by the name of their row, as "RAIN int8".
        data: name or folder whose test part natural drops are tried on.
        dataset: that part.
        session: recorded for a test; None leaves its columns out.
        count: images that drops are tried on.
        restarts: drops that an image is tried with.
        columns: of COLUMNS, the ones wanted.
        root: where named datasets lie unpacked.
        seed: of all chance.
    """

    bundles: dict[str, Path]
    data: str
    dataset: Dataset
    session: Path | None = None
    count: int | None = None
    restarts: int = 5
    columns: tuple[str, ...] = COLUMNS
    root: Path = Path("data")
    seed: int = 0


def numbers(request: DeployedRequest, report: Report) -> Iterator[Number]:
    """Yield a row for each bundle.

    `clean` and `pgd` are what the bundle's own manifest says, measured on its file when it was written; the attacked
    pictures were made with all that is known of the torch model. `advrd` is the black box on the bundle itself: natural
    drops until one fools. `clips` counts an image as right if every frame of its wet clip is.

    Raises:
        ConfigError: if a bundle was not measured, or the session was recorded for training.
        BundleError: if a bundle is damaged.
        DataError: if the data or the session do not go with a bundle.
    """
    archive = None if request.session is None else open_archive(request.session)
    if archive is not None and archive.settings.purpose != "test":
        raise ConfigError(f"{archive.folder}: a training session may have trained a model; record a test")
    manifests = {row: read_bundle(folder).manifest for row, folder in request.bundles.items()}
    for row, manifest in manifests.items():
        wanted = {name for name in ("clean", "pgd") if name in request.columns}
        if wanted and not {"accuracy", "robust"} <= manifest.metrics.keys():
            raise ConfigError(
                f"{request.bundles[row]}: was not measured; export it with --data and --robust, or name other --column"
            )
    for row, manifest in manifests.items():
        yield from _of_manifest(request, row, manifest)
        if "advrd" in request.columns:
            yield _drops(request, row, manifest, report)
        if archive is not None and {"clips", "frames"} & set(request.columns):
            yield from _clips(request, row, archive, report)
        if "agrees" in request.columns:
            yield from _agreement(request, row, manifests, report)


def _said(request: DeployedRequest, manifest: Manifest, **more: object) -> str:
    return setting(
        **{"data": f"{request.dataset.name} {request.dataset.split}", **more},
        model=f"{manifest.model_name} sha256 {manifest.model_sha256[:12]}",
        precision=manifest.precision,
        draws=None if manifest.noise is None else manifest.noise.draws,
        size=f"{manifest.input.height}x{manifest.input.width} px",
        seed=request.seed,
    )


def _of_manifest(request: DeployedRequest, row: str, manifest: Manifest) -> Iterator[Number]:
    metrics: dict[str, Any] = dict(manifest.metrics)
    if "parity" in request.columns:
        parity = manifest.parity
        said = _said(request, manifest, refused_above=f"{parity.tolerance:g}", before="any reduction")
        yield Number(row, "parity", parity.max_difference, None, None, parity.images, None, said)
    for column, name, how in (
        ("clean", "accuracy", {"data": manifest.accuracy_data}),
        ("pgd", "robust", {"data": manifest.accuracy_data, "attack": manifest.attack, "epsilon": "8/255"}),
    ):
        if column in request.columns:
            value, low, high = (metrics[f"{name}{end}"] for end in ("", "_low", "_high"))
            total = round(metrics[f"{name}_images"])
            rate = KinRate(round(value * total), total, (low, high), round(metrics.get(f"{name}_kin", total)))
            said = _said(request, manifest, **how, interval=None if rate.things == total else rate.counted)
            yield percentage(row, column, rate, paper=None, setting=said)


def _drops(request: DeployedRequest, row: str, manifest: Manifest, report: Report) -> Number:
    with tempfile.TemporaryDirectory() as scratch:
        summary = attack_dataset(
            request.bundles[row],
            request.data,
            Path(scratch) / "found",
            settings=AdvrdSettings(box="black", restarts=request.restarts),
            count=request.count,
            seed=request.seed,
            root=request.root,
            device="cpu",
            progress=lambda done, total: report(f"{row}, drops", done, total),
        )
    left = Rate(summary.success.total - summary.success.hits, summary.success.total)
    said = _said(request, manifest, generator="optics", box="black", N=request.restarts, interval="by image")
    return percentage(row, "advrd", left, paper=None, setting=said)


def _clips(request: DeployedRequest, row: str, archive: Archive, report: Report) -> Iterator[Number]:
    # The same chance for each row, as a scan has it.
    with Classifier(request.bundles[row], device="cpu", threads=1, noise_seed=bytes(SEED_BYTES)) as classifier:
        summary = scan_session(
            archive,
            classifier,
            command="natadv papers deployed",
            progress=lambda done, total: report(f"{row}, clips", done, total),
        )
    said = setting_of(archive, summary)
    for column, found in (("clips", summary.images), ("frames", summary.wet_frames)):
        if column in request.columns:
            left = Rate(found.total - found.hits, found.total)
            if column == "clips":
                yield percentage(row, column, left, paper=None, setting=said)
            else:  # a clip's frames are kin, which the scan's interval knows and Wilson's does not
                low, high = 100 * (1 - found.high), 100 * (1 - found.low)
                yield Number(row, column, 100 * left.value, low, high, found.total, None, said)


def _agreement(request: DeployedRequest, row: str, manifests: dict[str, Manifest], report: Report) -> Iterator[Number]:
    """Yield how many answers are those of the same model in full precision, where that is a row too."""
    ours = manifests[row]
    full = next(
        (
            other
            for other, theirs in manifests.items()
            if theirs.precision == "fp32"
            and (theirs.checkpoint_sha256, theirs.rain_sha256) == (ours.checkpoint_sha256, ours.rain_sha256)
        ),
        None,
    )
    if full is None or full == row:
        return
    found = compare_bundles(
        request.bundles[full],
        request.bundles[row],
        request.dataset,
        report=lambda done, total: report(f"{row}, beside {full}", done, total),
    )
    said = _said(request, ours, beside=f"{full} with equal noise")
    yield percentage(row, "agrees", found.agree, paper=None, setting=said)

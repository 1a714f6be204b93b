"""Make a bank: equal numbers of each kind, half for training and half for testing, parted by source.

Until it is done it is OUT.part, which keeps what the attacks have done: stopped or killed, the same command goes on.
"""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from natadv.detection.banked import PAPERS, Banked, BankPapers, Kind
from natadv.detection.kin import Part
from natadv.detection.made import Made, Maker
from natadv.durable import PART_SUFFIX, file_error, replace_file, sync
from natadv.errors import ConfigError, DataError
from natadv.images import write_image
from natadv.progress import Report

PARTS: tuple[Part, Part] = ("train", "test")
OUTCOMES = "outcomes"


@dataclass(frozen=True, slots=True)
class About:
    """What a bank is of.

    Attributes:
        data: name of the set of images.
        model: name of the model; `model_sha256`, the digest of its file, in hex.
        size_px: side of all images.
        seed: of all chance.
    """

    data: str
    model: str
    model_sha256: str
    size_px: int
    seed: int


@dataclass(frozen=True, slots=True)
class _Taken:
    """A kind's images of each part, and its papers."""

    papers: Kind
    made: Mapping[Part, tuple[Made, ...]]


def model_sha256(spec: str) -> str:
    """Return the digest of a model's file, in hex.

    Raises:
        ConfigError: if it is no file: a name alone does not say which weights they were.
    """
    path = Path(spec)
    if not path.is_file():
        raise ConfigError(f"--model {spec}: no such file; expected checkpoint.pt or NAME.onnx")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def outcomes_folder(out: Path) -> Path:
    """Return where what attacks have done is kept until a bank is finished; `make_bank` makes it.

    Raises:
        ConfigError: if the bank exists.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists already; take another folder")
    return out.with_name(out.name + PART_SUFFIX) / OUTCOMES


def make_bank(
    out: Path,
    makers: Mapping[str, Maker],
    about: About,
    *,
    count: int,
    report: Report = lambda kind, done, total: None,
) -> BankPapers:
    """Fill a bank and return its papers.

    Args:
        out: new folder; it appears when all is written.
        makers: of each kind, "clean" among them.
        about: what the bank is of.
        count: images of each kind, even: half of them in each part.
        report: told of progress.

    Raises:
        ConfigError: if the folder exists, or the number is odd.
        DataError: if a kind has too few images in a part; what was made stays, and a smaller number goes on with it.
        ResourceError: if the disk is full.
    """
    kept = outcomes_folder(out)
    if count < 2 or count % 2:
        raise ConfigError(f"--count {count}: expected an even number, half for training and half for testing")
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(out, error) from error
    taken = {name: _taken(name, maker, count // 2, report) for name, maker in makers.items()}
    short = [
        (len(kind.made[part]), name, part)
        for name, kind in taken.items()
        for part in PARTS
        if len(kind.made[part]) < count // 2
    ]
    if short:
        least = 2 * min(number for number, _, _ in short)
        listed = ", ".join(f"{name} {number} for {part}ing" for number, name, part in sorted(short))
        advice = f", or go on with --count {least}" if least else ""
        raise DataError(
            f"{out}: too few images: {listed}, of {count // 2} asked for; leave such kinds out, give more data{advice}"
        )
    folder = kept.parent
    try:
        papers = _written(folder, taken, about)
        sync(folder)
        folder.rename(out)
        sync(out.parent)
        shutil.rmtree(out / OUTCOMES)  # last: killed before, nothing is lost
    except OSError as error:
        raise file_error(out, error) from error
    return papers


def _taken(name: str, maker: Maker, each: int, report: Report) -> _Taken:
    """Take so many images of each part, trying no more sources than that needs."""
    tried = fooled = 0
    made: dict[Part, tuple[Made, ...]] = {}
    for part in PARTS:
        some: list[Made] = []
        before = each if part == PARTS[1] else 0
        report(name, before, 2 * each)
        for block in maker.blocks(part):
            tried, fooled = tried + block.tried, fooled + len(block.made)
            some += block.made
            report(name, before + min(len(some), each), 2 * each)
            if len(some) >= each:
                break
        made[part] = tuple(some[:each])
    papers = Kind(family=maker.family, settings=dict(maker.settings), tried=tried, fooled=fooled)
    return _Taken(papers, made)


def _written(folder: Path, taken: Mapping[str, _Taken], about: About) -> BankPapers:
    """Write all images by one encoder, and the papers last."""
    (folder / PAPERS).unlink(missing_ok=True)  # of an attempt that was stopped while it wrote
    images: list[Banked] = []
    for part in PARTS:
        if (folder / part).exists():
            shutil.rmtree(folder / part)
        for name, kind in taken.items():
            (folder / part / name).mkdir(parents=True)
            images += [_banked(folder, part, name, number, one) for number, one in enumerate(kind.made[part])]
            sync(folder / part / name)
        sync(folder / part)
    papers = BankPapers(
        data=about.data,
        model=about.model,
        model_sha256=about.model_sha256,
        size_px=about.size_px,
        seed=about.seed,
        kinds={name: kind.papers for name, kind in taken.items()},
        images=tuple(images),
    )
    replace_file(folder / PAPERS, (papers.model_dump_json(indent=1) + "\n").encode())
    return papers


def _banked(folder: Path, part: Part, kind: str, number: int, made: Made) -> Banked:
    path = f"{part}/{kind}/{number:05d}.png"
    write_image(folder / path, made.image, stored=True)
    return Banked(path=path, part=part, kind=kind, source=made.source, label=made.label, said=made.said)

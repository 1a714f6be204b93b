"""The German Traffic Sign Recognition Benchmark in its official layouts (Stallkamp et al. 2012).

Two layouts, as the official archives unpack:

    GTSRB/Training/000CC/*.ppm               GTSRB-Training_fixed.zip, which torchvision takes too
    GTSRB/Final_Training/Images/000CC/*.ppm  GTSRB_Final_Training_Images.zip, all 39,209 images
    GTSRB/Final_Test/Images/*.ppm            with GT-final_test.csv beside GTSRB, or in Final_Test/Images
"""

import csv
import re
from pathlib import Path

import numpy as np

from natadv.data.dataset import Dataset, Split
from natadv.errors import DataError
from natadv.images import Image, read_image

CLASSES = 43
LABELS = tuple(f"{index:02d}" for index in range(CLASSES))

_CRLF_HEADER = re.compile(rb"P6\r\n(?P<width>\d+) (?P<height>\d+)\r\n255\r\n")


def find_gtsrb(root: Path) -> Path | None:
    """Return the folder that holds `GTSRB/`: `root` or, as torchvision keeps it, `root`/gtsrb; None if neither."""
    for folder in (root, root / "gtsrb"):
        if (folder / "GTSRB").is_dir():
            return folder
    return None


def load_gtsrb(root: Path, split: Split) -> Dataset:
    """Read one split; labels are the two-digit class numbers "00" to "42".

    Raises:
        DataError: if the layout or a file of it is not there.
    """
    folder = find_gtsrb(root)
    if folder is None:
        raise DataError(
            f"{root}: no GTSRB here; name its folder with --root, or unpack "
            "GTSRB-Training_fixed.zip, GTSRB_Final_Test_Images.zip and "
            "GTSRB_Final_Test_GT.zip there, so that it holds GTSRB/Training, GTSRB/Final_Test and GT-final_test.csv"
        )
    samples = _training(folder) if split == "train" else _test(folder)
    if not samples:
        raise DataError(f"{folder / 'GTSRB'}: no images of the {split} part; unpack the official archive again")
    return Dataset(
        name="gtsrb",
        split=split,
        labels=LABELS,
        targets=np.array([target for _, target in samples], np.int64),
        keys=tuple(path.relative_to(folder).as_posix() for path, _ in samples),
        read=lambda i: read_ppm(samples[i][0]),
    )


def read_ppm(path: Path) -> Image:
    r"""Read a PPM, also one whose header lines end in \r\n, as many copies of GTSRB have it.

    Decoders take the \n after the header for the first byte of the picture and turn its colours round in silence.

    Raises:
        DataError: if the file is missing or no image can be read from it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    header = _CRLF_HEADER.match(data)
    if header:
        height, width = int(header["height"]), int(header["width"])
        pixels = np.frombuffer(data, np.uint8, offset=header.end())
        if pixels.size != height * width * 3:
            raise DataError(f"{path}: holds {pixels.size} bytes of pixels, expected {height * width * 3}")
        return pixels.reshape(height, width, 3).copy()
    return read_image(path)


def _training(folder: Path) -> list[tuple[Path, int]]:
    for images in (folder / "GTSRB" / "Final_Training" / "Images", folder / "GTSRB" / "Training"):
        if images.is_dir():
            break
    else:
        raise DataError(f"{folder / 'GTSRB'}: holds neither Training/ nor Final_Training/Images/")
    samples = []
    for label in sorted(path for path in images.iterdir() if path.is_dir()):
        if not label.name.isdigit() or int(label.name) >= CLASSES:
            raise DataError(f"{label}: not a class folder of GTSRB (expected 00000 to 00042)")
        samples += [(path, int(label.name)) for path in sorted(label.glob("*.ppm"))]
    return samples


def _test(folder: Path) -> list[tuple[Path, int]]:
    images = folder / "GTSRB" / "Final_Test" / "Images"
    tables = (folder / "GT-final_test.csv", images / "GT-final_test.csv")
    table = next((path for path in tables if path.is_file()), None)
    if table is None:
        raise DataError(f"{tables[0]}: missing; unpack GTSRB_Final_Test_GT.zip there")
    try:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";", skipinitialspace=True))
        samples = [(images / row["Filename"], int(row["ClassId"])) for row in rows]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise DataError(f"{table}: expected ';'-separated columns Filename and ClassId") from error
    if any(not 0 <= target < CLASSES for _, target in samples):
        raise DataError(f"{table}: a ClassId outside 0 to {CLASSES - 1}")
    return samples

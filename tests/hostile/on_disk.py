"""Things in the place of a bundle's files that are no files: links, pipes, devices, folders, a file of a terabyte."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.hostile.bases import NAMES

Spoil = Callable[[Random, Path], None]

_TARGETS = (
    "/dev/zero",
    "/dev/stdin",
    "/dev/full",
    "/dev/null",
    "/dev/tty",
    "/proc/self/mem",
    "/proc/kmsg",
    "/sys/kernel/debug",
    "/",
    ".",
    "..",
    "nowhere",
    "/etc/passwd",
)


def link(rng: Random, folder: Path) -> None:
    """A file is a link to what one can wait for, or read for ever."""
    name = rng.choice(NAMES)
    (folder / name).unlink()
    (folder / name).symlink_to(rng.choice((*_TARGETS, name, *NAMES)))


def moved_link(rng: Random, folder: Path) -> None:
    """A file is a link to the file itself, elsewhere: as some stores keep them."""
    name = rng.choice(NAMES)
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir()
    (folder / name).rename(elsewhere / name)
    (folder / name).symlink_to(elsewhere / name)


def linked_folder(rng: Random, folder: Path) -> None:
    """The folder is a link: to itself, to the bundle elsewhere, or to something else."""
    kind = rng.choice(("loop", "moved", "moved", "file", "device", "dangling", "device folder"))
    whole = folder.with_name("whole")
    folder.rename(whole)
    targets = {"loop": folder, "moved": whole, "file": whole / NAMES[1], "device": "/dev/zero", "device folder": "/dev"}
    folder.symlink_to(targets.get(kind, "nowhere"))


def pipe(rng: Random, folder: Path) -> None:
    """A file is a pipe that nobody writes to."""
    name = rng.choice(NAMES)
    (folder / name).unlink()
    os.mkfifo(folder / name)


def folder_pipe(rng: Random, folder: Path) -> None:
    """The folder is a pipe."""
    shutil.rmtree(folder)
    os.mkfifo(folder)


def listener(rng: Random, folder: Path) -> None:
    """A file is a socket."""
    name = rng.choice(NAMES)
    (folder / name).unlink()
    before = Path.cwd()
    os.chdir(folder)  # a socket's name has 108 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(name)
    finally:
        os.chdir(before)


def nested(rng: Random, folder: Path) -> None:
    """A file is a folder."""
    name = rng.choice(NAMES)
    (folder / name).unlink()
    (folder / name).mkdir()


def endless(rng: Random, folder: Path) -> None:
    """A file says that it has a terabyte, or six gigabytes, all holes."""
    with (folder / rng.choice(NAMES)).open("r+b") as file:
        file.truncate(rng.choice((1 << 40, 6 << 30)))


def missing(rng: Random, folder: Path) -> None:
    """Files are gone, or all of them."""
    for name in rng.sample(NAMES, rng.choice((1, 1, 2, 3))):
        (folder / name).unlink()


def bundled_in(rng: Random, folder: Path) -> None:
    """The bundle lies a folder deeper."""
    inner = folder / "bundle"
    inner.mkdir()
    for name in NAMES:
        (folder / name).rename(inner / name)


def guests(rng: Random, folder: Path) -> None:
    """Something lies beside the bundle's files, which are whole."""
    (folder / "signature.json").symlink_to("/dev/zero")
    (folder / rng.choice(("weights.bin", "model.onnx.data", "model.onnx.part", "\x1b[2J", "-rf"))).write_bytes(b"x")


SPOILS: tuple[Spoil, ...] = (
    link,
    link,
    link,
    moved_link,
    linked_folder,
    linked_folder,
    pipe,
    folder_pipe,
    listener,
    nested,
    endless,
    missing,
    bundled_in,
    guests,
)

"""A session in words: what it was asked to do, of which images, and which clips are done; `rigs.archive` keeps them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from natadv.raindrops.layout import SUFFIX
from rigs.geometry import Point, ScreenGeometry
from rigs.lens import LensSettings

Kind = Literal["dry", "wet"]
KINDS: tuple[Kind, ...] = ("dry", "wet")
Purpose = Literal["training", "test"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Item(_Record):
    """One clean image of a session.

    Attributes:
        number: its place in the session.
        source: its path below the images folder.
        label: its class; empty where nobody said it yet.
        sha256: of that file.
        drops_sha256: of the layout beside it, whose drops its clip has; None where the plate is sprayed.
    """

    number: int
    source: str
    label: str
    sha256: str
    drops_sha256: str | None = None

    def clip_name(self, kind: Kind) -> str:
        """Return the folder of its clip below the session's folder."""
        return f"clips/{self.number:04d}-{kind}"

    @property
    def image_name(self) -> str:
        """The file of its clean image below the session's folder."""
        return f"images/{self.number:04d}.png"

    @property
    def layout_name(self) -> str:
        """The file of its drops below the session's folder, where it has a layout."""
        return f"images/{self.number:04d}{SUFFIX}"


class SessionSettings(_Record):
    """What a session was asked to do, on which rig.

    Attributes:
        purpose: a test session's hits never become training data.
        seed: of the trajectories and, on a simulated rig, of the drops and the noise.
        clip_s: length of a clip.
        control_frames: frames recorded through dry glass; 0: no clip is.
        spray_s: how long the plate is sprayed for each clip.
        images: the folder, its whole path.
        items: in the order of recording.
        crop_px: (left, top, right, bottom) of what is stored of the camera's frame.
        corners_px: the shown picture in the stored frames, as in ScreenGeometry.
        lens: what distorts the stored frames; None for nothing.
        rig: the rig's whole description.
    """

    format: Literal["natadv-session/1"] = "natadv-session/1"
    created: str
    natadv_version: str
    purpose: Purpose
    seed: Annotated[int, Field(ge=0)]
    clip_s: float
    control_frames: int
    spray_s: float
    fps: float
    images: str
    items: tuple[Item, ...]
    crop_px: tuple[int, int, int, int]
    corners_px: tuple[Point, Point, Point, Point]
    lens: LensSettings | None = None
    rig_file: str
    rig: dict[str, Any]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The clips that each item has."""
        return KINDS if self.control_frames else ("wet",)

    @property
    def geometry(self) -> ScreenGeometry:
        """Where the shown picture lies in the stored frames."""
        return ScreenGeometry(self.corners_px, self.lens.lens if self.lens else None)


class ClipRecord(_Record):
    """A line of the manifest: one completed clip."""

    item: int
    kind: Kind
    clip: str
    frames: int
    lost: int
    pixels_sha256: str


class VoidRecord(_Record):
    """A line of the manifest: the clip noted before is damaged or gone, and is to be recorded again."""

    item: int
    kind: Kind
    void: str

"""The drawn signs: an endless, seeded set of pictures of traffic signs that needs no download.

Image `index` of a split is a function of (split, index, seed) alone: a face (`sign_faces`) in a random pose before
a random street, under random light, then as a cheap camera would give it: blurred, noisy, JPEG-compressed.
"""

from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.data.dataset import SPLITS, Dataset, Split
from natadv.data.sign_faces import LABELS, sign_face
from natadv.images import Image

SIZE_PX = 128
_FACE_PX = 96
COUNTS: dict[Split, int] = {"train": 200 * len(LABELS), "test": 50 * len(LABELS)}

_Float = NDArray[np.float32]
# Hues of a sky, leaves, bricks, evening light and concrete, relative to grey.
_TINTS = np.array([(0.7, 0.95, 1.3), (0.75, 1.15, 0.5), (1.35, 0.8, 0.6), (1.3, 1.05, 0.6), (1, 1, 1)])
_Y, _X = np.mgrid[-1 : 1 : SIZE_PX * 1j, -1 : 1 : SIZE_PX * 1j].astype(np.float32)


def load_signs(split: Split, *, seed: int = 0, count: int | None = None) -> Dataset:
    """Return a part of the drawn signs; classes take turns, so any `count` is balanced to within one.

    Raises:
        ValueError: if `count` is not positive.
    """
    count = COUNTS[split] if count is None else count
    if count < 1:
        raise ValueError(f"expected a positive count, got {count}")
    return Dataset(
        name="signs",
        split=split,
        labels=LABELS,
        targets=np.arange(count, dtype=np.int64) % len(LABELS),
        keys=tuple(f"{split}/{seed}-{index:05d}" for index in range(count)),
        read=partial(draw_sign, split, seed=seed),
    )


def draw_sign(split: Split, index: int, *, seed: int = 0) -> Image:
    """Draw one picture, uint8 RGB, (128, 128, 3), of class `index` modulo the number of labels."""
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    face = _small_face(LABELS[index % len(LABELS)])
    picture = _street(rng)
    sign, alpha = _posed(face, rng)
    picture += alpha * (_weathered(sign, rng) - picture)
    picture = _lit(picture, rng)
    return _photographed(picture, rng)


@lru_cache(maxsize=len(LABELS))
def _small_face(label: str) -> _Float:
    """Return the face as float in 0..1, RGBA; its colours run on outside the outline, so edges stay clean."""
    face = cv2.resize(sign_face(label), (_FACE_PX, _FACE_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    face[..., :3] /= np.maximum(face[..., 3:], 1e-3)
    return face


def _street(rng: np.random.Generator) -> _Float:
    """Return a background in 0..1: a graded sky or wall, blurred patches and a few posts."""
    ends = np.stack([_street_colour(rng), _street_colour(rng)])[:, None].astype(np.float32)
    picture = cv2.resize(ends, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_LINEAR)
    for _ in range(rng.integers(3, 9)):
        corners = (rng.uniform(-0.2, 1.2, 2) * SIZE_PX + rng.normal(0, 28, (4, 2))).astype(np.int32)
        cv2.fillConvexPoly(picture, cv2.convexHull(corners), _street_colour(rng).tolist())
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.8, 5))
    for _ in range(rng.integers(0, 3)):
        x, lean = rng.uniform(0, SIZE_PX), rng.normal(0, 8)
        post = (round(x), SIZE_PX), (round(x + lean), round(rng.uniform(0, 90)))
        cv2.line(picture, *post, _street_colour(rng).tolist(), int(rng.integers(2, 7)), cv2.LINE_AA)
    grain = cv2.resize(rng.normal(0, 0.05, (32, 32)).astype(np.float32), (SIZE_PX, SIZE_PX))
    return np.clip(picture + grain[..., None], 0, 1)


def _street_colour(rng: np.random.Generator) -> _Float:
    """Return a colour of sky, leaf, brick or concrete: mostly grey with a little of one hue."""
    tint = _TINTS[rng.integers(len(_TINTS))]
    mixed = rng.uniform(0.1, 0.9) * (1 + rng.uniform(0, 1.0) * (tint - 1)) + rng.normal(0, 0.04, 3)
    return np.clip(mixed, 0, 1).astype(np.float32)


def _posed(face: _Float, rng: np.random.Generator) -> tuple[_Float, _Float]:
    """Return the face in a random perspective, RGB and alpha in 0..1."""
    half = SIZE_PX * rng.uniform(0.3, 0.46)
    angle = np.deg2rad(rng.normal(0, 6))
    yaw, pitch = np.deg2rad(rng.normal(0, 18)), np.deg2rad(rng.normal(0, 8))
    corners = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], np.float64)
    cos, sin = np.cos(angle), np.sin(angle)
    corners[:, :2] = corners[:, :2] @ np.array([(cos, sin), (-sin, cos)])
    depth = 1 + 0.25 * (corners[:, 0] * np.sin(yaw) + corners[:, 1] * np.sin(pitch))
    flat = corners[:, :2] * (np.cos(yaw), np.cos(pitch)) * half / depth[:, None]
    centre = SIZE_PX / 2 + rng.uniform(-1, 1, 2) * min(0.08 * SIZE_PX, SIZE_PX / 2 - half)
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32) * len(face)
    warp = cv2.getPerspectiveTransform(square, (flat + centre).astype(np.float32))
    # A face of 96 px is about as large as it will be seen, so that interpolation does not alias.
    posed = cv2.warpPerspective(face, warp, (SIZE_PX, SIZE_PX), flags=cv2.INTER_LINEAR)
    return posed[..., :3], posed[..., 3:]


def _weathered(sign: _Float, rng: np.random.Generator) -> _Float:
    """Fade the colours and lay dirt on them."""
    grey = sign.mean(2, keepdims=True)
    faded = grey + np.float32(rng.uniform(0.55, 1.05)) * (sign - grey)
    dirt = cv2.resize(rng.uniform(0, rng.uniform(0, 0.35), (6, 6)).astype(np.float32), (SIZE_PX, SIZE_PX))
    return faded * (1 - dirt[..., None])


def _lit(picture: _Float, rng: np.random.Generator) -> _Float:
    """Apply exposure, colour of the light, a slope of light and sometimes a shadow's edge."""
    direction = rng.uniform(0, 2 * np.pi)
    across = np.float32(np.cos(direction)) * _X + np.float32(np.sin(direction)) * _Y
    light = np.float32(np.exp2(rng.uniform(-1.5, 0.5))) * (1 + np.float32(rng.uniform(0, 0.4)) * across)
    if rng.random() < 0.3:
        light = light * np.where(across > rng.uniform(-0.6, 0.6), np.float32(rng.uniform(0.35, 0.7)), np.float32(1))
    haze = rng.uniform(0, 0.18)
    gain = rng.normal(1 - haze, 0.06, 3).astype(np.float32)
    return np.clip(picture * (light[..., None] * gain) + np.float32(0.5 * haze), 0, 1)


def _photographed(picture: _Float, rng: np.random.Generator) -> Image:
    """Blur by focus, motion and few pixels, then add sensor noise and JPEG."""
    pixels = int(rng.integers(44, SIZE_PX + 1))
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), rng.uniform(0.3, 1.6))
    if rng.random() < 0.4:
        length = int(rng.integers(3, 10))
        kernel = cv2.warpAffine(
            np.eye(1, length, length // 2, dtype=np.float32).repeat(length, 0) / length,
            cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1),
            (length, length),
        )
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum())
    picture = cv2.resize(picture, (pixels, pixels), interpolation=cv2.INTER_AREA)
    noise = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(0.005, 0.04))
    small = np.round(np.clip(picture + noise, 0, 1) * 255).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 95))])
    return np.asarray(cv2.resize(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), (SIZE_PX, SIZE_PX)), np.uint8)

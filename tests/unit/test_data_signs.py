"""The drawn signs: seeded, different between splits, balanced, and told apart by more than colour."""

import numpy as np
import pytest

from natadv.data.sign_faces import LABELS, sign_face
from natadv.data.signs import SIZE_PX, draw_sign, load_signs


def test_a_picture_is_a_function_of_split_index_and_seed():
    assert np.array_equal(draw_sign("train", 7), draw_sign("train", 7))
    others = [draw_sign("test", 7), draw_sign("train", 7 + len(LABELS)), draw_sign("train", 7, seed=1)]
    assert all(not np.array_equal(draw_sign("train", 7), other) for other in others)


def test_pictures_are_uint8_rgb_and_use_their_range():
    image = draw_sign("train", 0)
    assert image.shape == (SIZE_PX, SIZE_PX, 3)
    assert image.dtype == np.uint8
    assert np.ptp(image) > 30


def test_classes_take_turns():
    signs = load_signs("test", count=5 * len(LABELS))
    assert np.bincount(signs.targets).tolist() == [5] * len(LABELS)
    assert list(signs.labels) == sorted(signs.labels)
    assert len(set(signs.keys)) == len(signs)
    assert np.array_equal(signs.read(13), draw_sign("test", 13))


def test_red_comes_first():
    """A red disc is red in RGB order: the face, and pictures of it on average."""
    face = sign_face("no-entry").astype(int)
    assert face[128, 60, 0] < 255
    disc = face[60, 128]
    assert disc[0] > disc[2] + 100
    middle = np.mean([draw_sign("train", LABELS.index("no-entry") + 12 * i)[40:52, 60:68] for i in range(20)], axis=0)
    assert middle[..., 0].mean() > middle[..., 2].mean() + 15


@pytest.mark.parametrize("label", LABELS)
def test_each_face_differs_from_all_others(label):
    mine = sign_face(label).astype(int)
    assert mine[..., 3].max() == 255
    assert mine[0, 0, 3] == 0
    for other in LABELS:
        if other != label:
            assert (np.abs(mine - sign_face(other)).max(2) > 60).mean() > 0.01


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match="expected one of ahead"):
        sign_face("limit-130")
    with pytest.raises(ValueError, match="positive count"):
        load_signs("train", count=0)

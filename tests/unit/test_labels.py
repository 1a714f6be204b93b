"""Labels as messages name them."""

from natadv.labels import some_of


def test_a_label_without_its_zeros_is_known_again_among_many():
    labels = [f"{number:02d}" for number in range(43)]
    assert some_of(labels, "1").split(",")[0] == "01"
    assert some_of(labels, "stop").endswith("... (43 in all)")
    assert some_of(labels[:3], "1") == "00, 01, 02"

"""Results on disk: the file's columns, merging, what is kept, and that no number is lost or made up."""

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from natadv.errors import ConfigError, DataError
from natadv.evaluation.rates import Rate
from natadv.papers.markdown import Section
from natadv.papers.number import Number, percentage, setting
from natadv.papers.results import check_smaller, read_numbers, write_figure, write_table

ONE = Number("FGSM", "Inc-v3", 80.5, 70.25, 88.0, 100, 80.0, "data nips17; size 299 px")


def test_a_line_a_number_in_the_agreed_columns(tmp_path):
    other = replace(ONE, row="AdvRD", low=None, high=None, paper=None, setting='a, "b"; c')
    write_table(tmp_path / "advrd", "table-2", "Table 2", [ONE, other])
    with (tmp_path / "advrd/table-2.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    assert lines == [
        ["row", "column", "ours", "low", "high", "n", "paper", "setting"],
        ["FGSM", "Inc-v3", "80.5", "70.25", "88", "100", "80", "data nips17; size 299 px"],
        ["AdvRD", "Inc-v3", "80.5", "", "", "100", "", 'a, "b"; c'],
    ]
    assert read_numbers(tmp_path / "advrd/table-2.csv") == (ONE, other)
    assert not list(tmp_path.glob("advrd/*.part"))


def test_other_places_are_kept_and_new_ones_come_after(tmp_path):
    write_table(tmp_path, "table-2", "T", [ONE, replace(ONE, column="Inc-v4")])
    newer = [replace(ONE, ours=81.0), replace(ONE, column="mine"), replace(ONE, row="BIM")]
    assert write_table(tmp_path, "table-2", "T", newer) == ()
    merged = read_numbers(tmp_path / "table-2.csv")
    assert [(n.row, n.column, n.ours) for n in merged] == [
        ("FGSM", "Inc-v3", 81.0),
        ("FGSM", "Inc-v4", 80.5),
        ("FGSM", "mine", 80.5),
        ("BIM", "Inc-v3", 80.5),
    ]


def test_a_number_of_more_images_stays_unless_told_otherwise(tmp_path):
    write_table(tmp_path, "table-2", "T", [ONE])
    smaller = replace(ONE, ours=50.0, n=99)
    assert write_table(tmp_path, "table-2", "T", [smaller]) == (ONE,)
    assert read_numbers(tmp_path / "table-2.csv") == (ONE,)
    assert write_table(tmp_path, "table-2", "T", [smaller], replace=True) == ()
    assert read_numbers(tmp_path / "table-2.csv") == (smaller,)


def test_people_read_ours_beside_the_papers(tmp_path):
    write_table(tmp_path, "table-2", "White box", [ONE, replace(ONE, row="a|b", paper=None, setting="other")])
    page = (tmp_path / "table-2.md").read_text()
    assert page.startswith("# White box\n\n|  | Inc-v3 |\n| --- | --- |\n")
    assert "| FGSM | 80.5 [70.2–88.0], n 100 (paper 80.0) <sup>1</sup> |" in page
    assert "| a\\|b | 80.5 [70.2–88.0], n 100 <sup>2</sup> |" in page
    assert "1. data nips17; size 299 px\n2. other" in page


def test_a_figures_numbers_go_with_its_picture(tmp_path):
    write_figure(tmp_path, "figure-6", "Maps", b"first", [ONE, replace(ONE, row="BIM")])
    write_figure(tmp_path, "figure-6", "Maps", b"second", [ONE])
    assert (tmp_path / "figure-6.png").read_bytes() == b"second"
    assert read_numbers(tmp_path / "figure-6.csv") == (ONE,)
    assert "![Maps](figure-6.png)" in (tmp_path / "figure-6.md").read_text()


def test_writers_at_once_lose_nothing(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        tasks = [
            pool.submit(write_table, tmp_path, "table-2", "T", [replace(ONE, column=f"model {index}")])
            for index in range(16)
        ]
        for task in tasks:
            task.result()
    assert {n.column for n in read_numbers(tmp_path / "table-2.csv")} == {f"model {index}" for index in range(16)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("row,column\n", "expected the columns"),
        ("row,column,ours,low,high,n,paper,setting\na,b,many,,,3,,s\n", "not a table of results"),
        ("row,column,ours,low,high,n,paper,setting\na,b\n", "not a table of results"),
        ("row,column,ours,low,high,n,paper,setting\na,b,nan,,,3,,s\n", "finite"),
    ],
)
def test_a_file_that_is_no_table_is_left_alone(tmp_path, content, message):
    path = tmp_path / "table-2.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        write_table(tmp_path, "table-2", "T", [ONE])
    assert path.read_text() == content


def test_a_rate_brings_its_interval_and_an_empty_one_is_no_number():
    number = percentage("AdvRD", "Inc-v3", Rate(9, 10), paper=84.2, setting="s")
    assert (number.ours, number.n, number.paper) == (90.0, 10, 84.2)
    assert (round(number.low, 1), round(number.high, 1)) == (59.6, 98.2)
    with pytest.raises(DataError, match="no image to count"):
        percentage("AdvRD", "Inc-v3", Rate(0, 0), paper=None, setting="s")
    with pytest.raises(ValueError, match="finite"):
        replace(ONE, ours=float("nan"))


def test_a_setting_says_what_is_known():
    assert setting(data="signs", step_size=0.05, surrogate=None, seed=0) == "data signs; step size 0.05; seed 0"


def test_fewer_images_do_not_replace_a_whole_table(tmp_path):
    many, few = (Number("row", "column", 1.0, None, None, n, None, "") for n in (20, 5))
    write_table(tmp_path, "table-1", "Title", [many], whole=True)
    with pytest.raises(ConfigError, match=r"table-1\.csv: rests on 20 images, this run on 5"):
        check_smaller(tmp_path / "table-1.csv", [few])
    check_smaller(tmp_path / "table-1.csv", [many])
    check_smaller(tmp_path / "table-9.csv", [few])


def test_a_table_too_wide_for_a_page_is_parted_by_columns(tmp_path):
    rain = [replace(ONE, column=f"rain {number}", setting="other") for number in (1, 2)]
    write_table(
        tmp_path, "table-1", "T", [ONE, *rain], sections=[Section("Rain", ("rain",)), Section("Snow", ("snow",))]
    )
    text = (tmp_path / "table-1.md").read_text()
    first, second = text.split("## Rain\n")
    assert f"|  | {ONE.column} |" in first
    assert "rain" not in first
    assert "|  | rain 1 | rain 2 |" in second
    assert "<sup>2</sup>" in second  # of the settings of the whole page
    assert "Snow" not in text
    assert len((tmp_path / "table-1.csv").read_text().splitlines()) == 4

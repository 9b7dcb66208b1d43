"""Pages: one file each, escaped, with figures that say what they show; numbers as read."""

import base64
import re

import pytest
from jinja2 import UndefinedError
from matplotlib.figure import Figure

from labkit import pages, plots
from labkit.formatting import counted, duration, interval, p_value, percent, points


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (45.4, "45 s"),
        (59.7, "1 min"),
        (90, "1 min 30 s"),
        (75 * 60, "1 h 15 min"),
        (3599.9, "1 h"),
        (36 * 3600, "1 day 12 h"),
        (2 * 86400, "2 days"),
        (3 * 86400 - 1, "3 days"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds, words):
    assert duration(seconds) == words


def test_points_have_no_noughts_at_their_end_and_shares_are_percent():
    assert [points(value) for value in (0, 3.0, 4.75, 0.333, 100)] == [
        "0", "3", "4.75", "0.33", "100",
    ]  # fmt: skip
    assert percent(0.805) == "80%"


def test_one_is_no_plural():
    numbers = (0, 1, 2, 1.5, 2_000)
    assert [counted(number, "row") for number in numbers] == [
        "0 rows", "1 row", "2 rows", "1.5 rows", "2,000 rows",
    ]  # fmt: skip
    assert [counted(number, "copy", "copies") for number in (1, 3)] == [
        "1 copy", "3 copies",
    ]  # fmt: skip


def test_a_small_p_value_is_no_power_of_ten_and_an_interval_stays_on_one_line():
    assert [p_value(value) for value in (1.0, 0.0123, 0.001, 2.9e-19)] == [
        "1.000", "0.012", "0.001", "<\u00a00.001",
    ]  # fmt: skip
    assert interval(0.91, 0.9312, ".1%") == "91.0%\u00a0to\u00a093.1%"


@pytest.mark.parametrize(("form", "kind"), [("svg", "svg+xml"), ("png", "png")])
def test_a_figure_is_embedded_the_same_each_time(form, kind):
    def drawn():
        figure = Figure(figsize=(4, 2))
        figure.subplots().plot([1, 2], label="<line>")
        return pages.embedded(figure, "Two points.", form)

    picture = drawn()
    head, data = picture.source.split(",")
    assert head == f"data:image/{kind};base64"
    assert (b"<svg" if form == "svg" else b"\x89PNG") in base64.b64decode(data)
    assert (picture.text, picture.width, picture.height) == ("Two points.", 384, 192)
    assert drawn() == picture


def test_a_figure_without_a_text_is_known_by_its_heading():
    figure = plots.curves({"loss": [2, 1]}, title="Training")
    assert "Training" in pages.embedded(figure).text


def write_team(path, **values):
    """A page with what every page has: a heading, a table, a scrolling part."""

    class Evidence:
        data, foretold, summary = "faces", "", "<one> & two\n" + "─" * 100

    picture = pages.embedded(Figure(figsize=(9, 3)), "Nothing.")
    figures = dict.fromkeys(("recall", "precision", "counts", "hue", "orientation"))
    pages.write(
        path,
        "team.html",
        **{
            "team": "<b>Us</b>",
            "evidence": Evidence,
            "measures": [("accuracy", "9%")],
            "submission": None,
            "figures": dict.fromkeys(figures, picture),
            **values,
        },
    )


def test_a_page_is_one_file_that_escapes_what_it_is_given(tmp_path):
    write_team(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<b>Us" not in page and "&lt;one&gt; &amp; two" in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert page.count('alt="Nothing."') == 5
    # The style sheet is in it, with both colour schemes and for paper.
    assert "prefers-color-scheme: dark" in page and "@media print" in page


def test_a_value_that_is_missing_is_an_error_and_not_a_gap():
    with pytest.raises(UndefinedError, match="caption"):
        pages.render("leaderboard.html", board=None)

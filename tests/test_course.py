"""course.toml: what it may say, what is refused, and who writes one."""

import pytest

from labkit.course import Course
from labkit.errors import LabkitError


def written(course, text):
    course.settings_file.write_text(text)
    return course


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[limit]\ncell_seconds = 3", "limit = .* Do you mean limits?"),
        ('databse = "x"', "databse = 'x', a name .* Do you mean database?"),
        (
            "[limits]\ncel_seconds = 1",
            r"\[limits\] has cel_seconds = 1, .*mean cell_sec",
        ),
        ("cell_seconds = 1", r"It belongs below \[limits\]"),
        (
            "[limits]\ncell_seconds = true",
            "cell_seconds = True; expected a number above",
        ),
        (
            "[limits]\ncell_seconds = nan",
            "cell_seconds = nan; expected a number above 0",
        ),
        ("[limits]\nmemory_gib = inf", "memory_gib = inf; expected a number above 0"),
        ("[limits]\nmemory_gib = -1", "memory_gib = -1; expected a number above 0"),
        ('[limits]\nmemory_gib = "4"', "memory_gib = '4'; expected a number above 0"),
        ("limits = 3", r"limits = 3; expected a table: \[limits\]"),
        ("seed = 3", "seed = 3; expected a text"),
        ("seed =", "not TOML"),
    ],
)
def test_what_is_not_as_expected_is_refused(course, text, told):
    with pytest.raises(LabkitError, match=f"course.toml: .*{told}"):
        _ = written(course, text).limits


def test_numbers_and_points_are_read(course):
    written(
        course,
        "[limits]\ncell_seconds = 10\nmemory_gib = 0.5\n"
        '[kaggle]\nlab = "91_tiny"\npoints = [[0.9, 2], [0.5, 1]]\n',
    )
    assert (course.limits.cell_seconds, course.limits.memory) == (10, 2**29)
    assert course.settings.kaggle.points == [(0.5, 1), (0.9, 2)]


def test_reading_the_seed_writes_nothing(course, monkeypatch):
    monkeypatch.delenv("LABKIT_SEED")
    with pytest.raises(LabkitError, match='Write: seed = "any text"'):
        _ = course.seed
    assert not course.settings_file.exists()
    course.create_seed()
    seed = course.seed
    assert len(seed) == 32
    course.create_seed()
    assert Course.at(course.root).seed == seed

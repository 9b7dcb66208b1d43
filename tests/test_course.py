"""course.toml: what it may say, what is refused, and who writes one."""

from datetime import datetime, timezone

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
        ("[limits]\ncell_seconds = 0", "a number above 0. Write: cell_seconds = 120"),
        ("[kaggle]\npublic = nan", "a share between 0 and 1. Write: public = 0.3"),
        ("[kaggle]\npoints = [[true, 1]]", "expected pairs of score and points"),
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


@pytest.mark.parametrize("day", ["2030-01-31", '"2030-01-31"', "2030-01-31T00:00:00Z"])
def test_a_deadline_may_be_a_day(course, day):
    written(course, f"[kaggle]\ndeadline = {day}\n")
    first_moment = datetime(2030, 1, 31, tzinfo=timezone.utc)
    assert course.settings.kaggle.deadline == first_moment


@pytest.mark.parametrize("address", ["gradebook", "postgres://me:secret@host/book"])
def test_a_database_that_is_none_is_told_without_its_password(course, address):
    written(course, f'database = "{address}"\n')
    with pytest.raises(LabkitError, match=r"Write: database = .postgresql://") as told:
        Course.at(course.root)
    assert "secret" not in str(told.value)


def test_a_file_that_cannot_be_read_is_told(course):
    course.settings_file.write_bytes(b"\xff")
    with pytest.raises(LabkitError, match=r"course.toml: not TOML"):
        Course.at(course.root)


def test_a_blank_variable_is_no_seed(course, monkeypatch):
    monkeypatch.setenv("LABKIT_SEED", " ")
    course.create_seed()
    assert len(course.seed) == 32


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

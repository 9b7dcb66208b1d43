"""Scores are scikit-learn's; a leaderboard ranks as Kaggle does, and leaves bad files out."""

import csv
import math
import os
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from PIL import Image

from labkit import kaggle
from labkit.errors import LabkitError
from labkit.grading.competition.leaderboard_page import write_leaderboard
from labkit.grading.competition.pseudonyms import with_pseudonyms
from labkit.kaggle.scoring import read_truth

NAMES = ("homer_simpson", "moe_szyslak", "ned_flanders")
TRUTH = {"1": NAMES[0], "2": NAMES[1], "3": NAMES[2], "4": NAMES[0]}
GOOD = "id,character\n1,homer_simpson\n2,moe_szyslak\n3,ned_flanders\n4,moe_szyslak\n"
NOON = datetime(2030, 1, 15, 12, tzinfo=timezone.utc)


@pytest.fixture
def truth(tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "character_name.lst").write_text("\n".join(NAMES) + "\n")
    path = folder / "truth.csv"
    path.write_text("id,character\n" + "".join(f"{i},{n}\n" for i, n in TRUTH.items()))
    return path


@pytest.fixture
def submission(tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text(GOOD)
    return path


# ---------------------------------------------------------------- score


def test_the_score_is_scikit_learns(truth, submission):
    from sklearn.metrics import f1_score

    score = kaggle.score(submission, truth)
    said = [row["character"] for row in csv.DictReader(GOOD.splitlines())]
    assert score.accuracy == 0.75 and score.rows == 4
    assert score.macro_f1 == pytest.approx(
        f1_score(list(TRUTH.values()), said, average="macro")
    )
    assert score.log_loss is None
    assert score.class_names == NAMES
    assert score.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert (
        str(score)
        == f"submission: accuracy 75.00% (3 of 4), macro F1 {score.macro_f1:.4f}"
    )


def test_the_order_of_rows_does_not_change_the_score(truth, submission):
    head, *rows = GOOD.splitlines(keepends=True)
    submission.write_text(head + "".join(reversed(rows)))
    assert kaggle.score(submission, truth).accuracy == 0.75


def test_a_truth_with_excels_mark_and_names_with_spaces_counts(truth, submission):
    spaced = str.maketrans("_", " ")
    truth.write_text("\ufeff" + truth.read_text().translate(spaced), "utf-8")
    names = truth.with_name("character_name.lst")
    names.write_text(names.read_text().translate(spaced))
    submission.write_text(GOOD.translate(spaced))
    score = kaggle.score(submission, truth)
    assert score.accuracy == 0.75
    assert score.class_names == tuple(name.translate(spaced) for name in NAMES)
    shares = np.eye(3)[[0, 1, 2, 1]]
    kaggle.write(TRUTH, shares, submission, class_names=score.class_names)
    assert kaggle.score(submission, truth).accuracy == 0.75


def test_the_only_class_is_scored_without_a_warning(tmp_path, run_command, warned):
    for name in ("truth", "submission"):
        (tmp_path / f"{name}.csv").write_text("id,character\n1,bart\n2,bart\n")
    words = ["labkit", "kaggle", "score", "submission.csv", "--truth", "truth.csv"]
    done = run_command(*words, folder=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert "accuracy 100.00% (2 of 2)" in done.stdout
    assert kaggle.score(
        tmp_path / words[3], tmp_path / words[5]
    ).confusion.tolist() == [[2]]
    assert warned() == []


def test_a_file_with_faults_has_no_score(truth, submission):
    submission.write_text(GOOD.replace("4,moe_szyslak\n", ""))
    with pytest.raises(kaggle.SubmissionError, match="1 of 4 ids is missing"):
        kaggle.score(submission, truth)


def test_the_log_loss_of_probabilities_is_scikit_learns(truth, submission):
    from sklearn.metrics import log_loss

    shares = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0, 0.5, 0.5], [0, 0.9, 0.1]])
    kaggle.write(TRUTH, shares, submission, class_names=NAMES)
    score = kaggle.score(submission, truth)
    clipped = np.clip(shares, 1e-15, 1)
    expected = -np.mean(np.log(clipped[np.arange(4), [0, 1, 2, 0]]))
    assert score.log_loss == pytest.approx(expected)
    soft = np.full((4, 3), 1 / 3)
    kaggle.write(TRUTH, soft, submission, class_names=NAMES)
    uniform = kaggle.score(submission, truth).log_loss
    assert uniform == pytest.approx(math.log(3), abs=1e-5)
    assert uniform == pytest.approx(log_loss([0, 1, 2, 0], soft), abs=1e-5)


def test_probabilities_with_faults_have_no_score(truth, submission):
    submission.write_text(
        "id,homer_simpson,moe_szyslak,ned_flanders\n"
        + "".join(f"{i},0.5,0.4,0.3\n" for i in TRUTH)
    )
    with pytest.raises(kaggle.SubmissionError, match=r"add up to 1.*add up to 1\.2"):
        kaggle.score(submission, truth)


def test_the_parts_are_those_of_the_column_usage(truth, submission):
    usage = dict(zip(TRUTH, ("Public", "Private", "Public", "Private"), strict=True))
    truth.write_text(
        "id,character,Usage\n"
        + "".join(f"{i},{n},{usage[i]}\n" for i, n in TRUTH.items())
    )
    score = kaggle.score(submission, truth, public=0.9)
    assert (score.public.rows, score.public.accuracy) == (2, 1.0)
    assert (score.private.rows, score.private.accuracy) == (2, 0.5)
    assert "public: accuracy 100.00%" in str(score)
    assert "private: accuracy 50.00%" in score._repr_html_()


def test_a_usage_that_leaves_a_part_empty_is_refused(truth, submission):
    truth.write_text(
        "id,character,Usage\n" + "".join(f"{i},{n},public\n" for i, n in TRUTH.items())
    )
    with pytest.raises(LabkitError, match="0 times Public and 0 times Private"):
        kaggle.score(submission, truth)


def test_the_command_scores_and_draws_the_matrix(truth, submission, run_command):
    done = run_command(
        "labkit", "kaggle", "score", "submission.csv", "--truth", str(truth),
        "--public", "0.5", folder=submission.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "accuracy 75.00% (3 of 4)" in done.stdout and "private:" in done.stdout
    with Image.open(submission.with_suffix(".confusion.png")) as picture:
        assert picture.width > 800


# ---------------------------------------------------------------- leaderboard


@pytest.fixture
def contest(tmp_path):
    """Two hundred pictures, and a function that hands in a file with so many wrong."""
    truth = tmp_path / "truth.csv"
    truth.write_text("id,character\n" + "".join(f"{i},a\n" for i in range(1, 201)))
    folder = tmp_path / "submissions"
    folder.mkdir()

    def hand_in(name, wrong, time=NOON):
        rows = (f"{i},{'b' if i in wrong else 'a'}\n" for i in range(1, 201))
        path = folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("id,character\n" + "".join(rows))
        os.utime(path, (time.timestamp(),) * 2)

    return truth, folder, hand_in


@pytest.fixture
def parts(contest):
    """The numbers of the public and of the private pictures."""
    key = read_truth(contest[0], 0.3)
    return [int(i) for i in key.public], [int(i) for i in key.private]


def ranking(board):
    return [(place.rank, place.student) for place in board.places]


def test_of_equal_scores_the_earlier_is_ahead(contest):
    truth, folder, hand_in = contest
    hand_in("cleo", set())
    hand_in("bea", set(range(1, 51)), NOON)
    hand_in("abe", set(range(1, 51)), NOON + timedelta(minutes=1))
    hand_in("dan", set(range(1, 101)))
    board = kaggle.leaderboard(folder, truth)
    assert ranking(board) == [(1, "cleo"), (2, "bea"), (3, "abe"), (4, "dan")]
    assert (board.public_rows, board.private_rows) == (60, 140)
    for place, right in zip(board.places, (200, 150, 150, 100), strict=True):
        assert 60 * place.public + 140 * place.private == pytest.approx(right)
    lines = str(board).splitlines()
    assert lines[0].split()[:4] == ["rank", "student", "private", "best"]
    assert lines[1].split()[:4] == ["1", "cleo", "100.00%", "100.00%"]


def test_equal_scores_at_the_same_time_share_a_rank(contest):
    truth, folder, hand_in = contest
    for student in ("bea", "abe"):
        hand_in(student, {1})
    assert ranking(kaggle.leaderboard(folder, truth)) == [(1, "abe"), (1, "bea")]


def test_public_and_private_rows_are_the_same_whatever_the_order_of_the_truth(contest):
    truth, folder, hand_in = contest
    hand_in("abe", set(range(1, 51)))
    first = kaggle.leaderboard(folder, truth)
    head, *rows = truth.read_text().splitlines(keepends=True)
    truth.write_text(head + "".join(reversed(rows)))
    assert kaggle.leaderboard(folder, truth) == first


def test_the_public_score_alone_does_not_decide(contest, parts):
    truth, folder, hand_in = contest
    shown, hidden = parts
    assert sorted(shown + hidden) == list(range(1, 201))
    hand_in("overfitted", set(hidden))
    hand_in("honest", set(shown[:30]))
    board = kaggle.leaderboard(folder, truth)
    assert [(p.student, p.public_rank) for p in board.places] == [
        ("honest", 2), ("overfitted", 1),
    ]  # fmt: skip


def test_until_the_deadline_nothing_private_is_shown(contest, parts, tmp_path):
    truth, folder, hand_in = contest
    shown, hidden = parts
    hand_in("overfitted", set(hidden))
    hand_in("honest", set(shown[:30]))
    deadline = NOON + timedelta(hours=1)
    board = kaggle.leaderboard(folder, truth, deadline=deadline, now=NOON)
    assert ranking(board) == [(1, "overfitted"), (2, "honest")]
    assert all(place.private is None for place in board.places)
    page, table = write_leaderboard(board, tmp_path / "open")
    assert "100.00%" in page.read_text() and "private" not in table.read_text()
    assert table.read_text().splitlines()[0] == (
        "rank,student,best_public,last_public,submissions,time"
    )
    board = kaggle.leaderboard(folder, truth, deadline=deadline, now=deadline)
    assert ranking(board) == [(1, "honest"), (2, "overfitted")]
    assert "private" in write_leaderboard(board, tmp_path / "closed")[1].read_text()


def test_the_two_best_in_public_count_and_the_better_in_private_ranks(contest, parts):
    truth, folder, hand_in = contest
    shown, hidden = parts
    # The best of all in private has the third public score: it was not chosen.
    hand_in("abe/2030-01-15T09-00", set(shown[:9]))
    hand_in("abe/2030-01-15T10-00", {*shown[:3], *hidden[:50]})
    hand_in("abe/2030-01-15T11-00", {*shown[:6], *hidden[:20]})
    board = kaggle.leaderboard(folder, truth)
    (place,) = board.places
    assert place.private == place.score == pytest.approx(120 / 140)
    assert place.public == pytest.approx(57 / 60)
    assert place.best == 1.0
    assert place.last == pytest.approx(120 / 140)
    assert place.entries == 3
    assert place.time == datetime(2030, 1, 15, 11, tzinfo=timezone.utc)


def test_so_many_a_day_count_and_bad_files_use_none(contest):
    truth, folder, hand_in = contest
    (folder / "abe").mkdir()
    (folder / "abe" / "2030-01-15T00-30.csv").write_text("id,character\n")
    for hour in (1, 2, 23):
        hand_in(f"abe/2030-01-15T{hour:02}-00", set(range(1, 100 - hour)))
    hand_in("abe/2030-01-16T00-00", set(range(1, 100)))
    board = kaggle.leaderboard(folder, truth, per_day=2)
    assert board.places[0].entries == 3
    reasons = dict(board.refused)
    assert (
        reasons["abe/2030-01-15T23-00.csv"] == "number 3 of 2030-01-15; 2 a day count"
    )
    assert "200 of 200 ids are missing" in reasons["abe/2030-01-15T00-30.csv"]


def test_the_time_is_in_nbgraders_note_too(contest):
    truth, folder, hand_in = contest
    hand_in("abe/submission", set())
    (folder / "abe" / "timestamp.txt").write_text("2030-01-14 08:30:00 UTC\n")
    (place,) = kaggle.leaderboard(folder, truth).places
    assert place.time == datetime(2030, 1, 14, 8, 30, tzinfo=timezone.utc)


EVENING = datetime(2030, 1, 14, 18, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("", 0), ("Z", 0), (" UTC", 0), (" -0500", 5), ("-05:00", 5), ("+02:00", -2),
        (" +0530", -5.5), (" America/New_York", 5), (" CET", -1),
    ],
)  # fmt: skip
def test_a_zone_counts_wherever_a_time_stands(contest, course, zone, hours):
    truth, folder, hand_in = contest
    time = EVENING + timedelta(hours=hours)
    hand_in("abe/submission", set())
    (folder / "abe" / "timestamp.txt").write_text(f"2030-01-14 18:30:00{zone}\n")
    late, tight = time - timedelta(seconds=1), time
    board = kaggle.leaderboard(folder, truth, deadline=tight)
    assert board.places[0].time == time
    assert kaggle.leaderboard(folder, truth, deadline=late).refused == (
        ("abe/submission.csv", f"after the deadline, on {time:%Y-%m-%d %H:%M} UTC"),
    )
    course.settings_file.write_text(f'[kaggle]\ndeadline = "2030-01-14 18:30{zone}"\n')
    assert course.settings.kaggle.deadline == time


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("2030-01-14T18-30", EVENING),
        ("lab 6, 2030-01-14 18-30-00 final", EVENING),
        ("submission-2030-01-14T18-30-05", EVENING + timedelta(seconds=5)),
        ("submission-2030-01-14T18-30-0500", EVENING + timedelta(hours=5)),
        ("submission_2030-01-14_18.30_+0200", EVENING - timedelta(hours=2)),
        ("2030-01-14T18-30-00+02-00", EVENING - timedelta(hours=2)),
        ("2030-13-14T18-30", NOON),
    ],
)
def test_so_it_does_in_a_files_name(contest, name, time):
    truth, folder, hand_in = contest
    hand_in(f"abe/{name}", set())
    assert kaggle.leaderboard(folder, truth).places[0].time == time


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ("14/01/2030 18:30", "'14/01/2030 18:30' is no point in time; expected one such"),
        ("2030-01-14 18:30 XYZ", "the zone 'XYZ' is not known; write one such as"),
        ("2030-02-30 18:30", "'2030-02-30 18:30' is no point in time"),
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_read_is_named_not_guessed(contest, note, told):
    truth, folder, hand_in = contest
    hand_in("abe/submission", set())
    (folder / "abe" / "timestamp.txt").write_text(note)
    board = kaggle.leaderboard(folder, truth)
    assert not board.places
    ((file, reason),) = board.refused
    assert file == "abe/submission.csv"
    assert reason.startswith(f"timestamp.txt beside it: {told}")


def test_what_was_meant_as_a_submission_and_is_not_counted_is_named(contest):
    truth, folder, hand_in = contest
    hand_in("abe/lab/submission", set())
    hand_in("bea/lab/predictions", set())
    hand_in("cleo/other/notes", set())
    (folder / "dan.xlsx").write_bytes(b"PK")
    (folder / "eve").symlink_to(folder / "abe", target_is_directory=True)
    (folder / ".DS_Store").write_bytes(b"")
    board = kaggle.leaderboard(folder, truth, pattern="lab/submission*.csv")
    assert ranking(board) == [(1, "abe")]
    no_submission = "neither a .csv file nor a student's folder"
    assert dict(board.refused) == {
        "bea/lab/predictions.csv": "not named submission*.csv",
        "dan.xlsx": no_submission,
        "eve": no_submission,
    }
    hand_in("fay", {1})
    (folder / "fay.csv").rename(folder / "fay.CSV")
    assert "fay" in dict(ranking(kaggle.leaderboard(folder, truth))).values()


def test_what_comes_after_the_deadline_is_listed(contest):
    truth, folder, hand_in = contest
    hand_in("abe", set(), NOON)
    hand_in("bea", set(), NOON + timedelta(seconds=1))
    board = kaggle.leaderboard(folder, truth, deadline=NOON, now=NOON)
    assert ranking(board) == [(1, "abe")]
    assert board.refused == (
        ("bea.csv", "after the deadline, on 2030-01-15 12:00 UTC"),
    )


def test_bad_files_are_listed_with_their_reason_and_the_others_ranked(
    contest, tmp_path
):
    truth, folder, hand_in = contest
    hand_in("good", set())
    (folder / "short.csv").write_text("id,character\n1,a\n")
    (folder / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    (folder / "folder.csv").mkdir()
    (folder / "thief.csv").symlink_to(truth)
    board = kaggle.leaderboard(folder, truth)
    assert ranking(board) == [(1, "good")]
    reasons = dict(board.refused)
    assert "199 of 200 ids are missing" in reasons["short.csv"]
    assert "not UTF-8" in reasons["picture.csv"]
    assert reasons["thief.csv"] == reasons["folder.csv"] == "not a plain file"
    assert "not counted: thief.csv" in str(board)
    assert "thief.csv" in board._repr_html_()
    page = write_leaderboard(board, tmp_path / "page")[0].read_text()
    assert "199 of 200 ids are missing" in page


def test_a_students_name_cannot_write_html_or_mathematics(contest, tmp_path):
    truth, folder, hand_in = contest
    hand_in("<b>abe<b> $\\frac$", set())
    board = kaggle.leaderboard(folder, truth)
    page = write_leaderboard(board, tmp_path / "page")[0].read_text()
    for text in (board._repr_html_(), page):
        assert "<b>abe" not in text and "&lt;b&gt;abe" in text


@pytest.mark.parametrize("public", [0, 1, -0.3, 30])
def test_a_share_that_leaves_a_part_empty_is_refused(contest, public):
    truth, folder, _ = contest
    with pytest.raises(LabkitError, match="between 0 and 1"):
        kaggle.leaderboard(folder, truth, public)


def test_a_folder_that_is_none_is_refused(contest):
    truth, folder, _ = contest
    with pytest.raises(LabkitError, match="not a folder"):
        kaggle.leaderboard(folder / "none", truth)


def test_pseudonyms_hide_names_everywhere_and_stay(contest, tmp_path):
    truth, folder, hand_in = contest
    hand_in("abe_secret", set())
    (folder / "bea_secret.csv").write_text("nothing")
    kept = tmp_path / "names.csv"
    first = with_pseudonyms(kaggle.leaderboard(folder, truth), kept)
    hand_in("cleo_secret", {1})
    second = with_pseudonyms(kaggle.leaderboard(folder, truth), kept)
    assert first.places[0].student == second.places[0].student
    files = write_leaderboard(second, tmp_path / "page")
    assert "secret" not in "".join(path.read_text() for path in files) + str(second)
    rows = dict(csv.reader(kept.read_text().splitlines()))
    assert rows["abe_secret"] == first.places[0].student
    assert rows["cleo_secret"] != rows["abe_secret"]
    kept.write_text("something else\n")
    with pytest.raises(LabkitError, match="expected the header student,pseudonym"):
        with_pseudonyms(second, kept)


@pytest.mark.parametrize("closed", [False, True])
def test_the_page_is_one_file_for_every_screen(
    contest, tmp_path, assert_accessible, closed
):
    truth, folder, hand_in = contest
    for number in range(12):
        hand_in(f"student_{number}/2030-01-1{number % 5}T10-00", set(range(number, 60)))
        hand_in(f"student_{number}/2030-01-15T1{number % 3}-30", set(range(2 * number)))
    (folder / "short.csv").write_text("id,character\n1,a\n")
    deadline = None if closed else NOON + timedelta(days=9)
    board = kaggle.leaderboard(folder, truth, deadline=deadline, now=NOON)
    page, _ = write_leaderboard(board, tmp_path / "page")
    assert_accessible(page)

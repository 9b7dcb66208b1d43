"""Submissions: what is written is what Kaggle takes; every fault is named, with its line."""

import csv

import numpy as np
import pytest

from labkit import kaggle
from labkit.errors import LabkitError

NAMES = ("homer_simpson", "moe_szyslak", "ned_flanders")
TRUTH = {"1": NAMES[0], "2": NAMES[1], "3": NAMES[2], "4": NAMES[0]}


@pytest.fixture
def sample(tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "character_name.lst").write_text("\n".join(NAMES) + "\n")
    path = folder / "sampleSubmission.csv"
    path.write_text("id,character\n" + "".join(f"{i},{NAMES[0]}\n" for i in TRUTH))
    return path


@pytest.fixture
def truth(sample):
    path = sample.with_name("truth.csv")
    path.write_text("id,character\n" + "".join(f"{i},{n}\n" for i, n in TRUTH.items()))
    return path


def checked(sample, content, **options):
    path = sample.parent.parent / "submission.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return kaggle.check(path, sample, **options)


def only_fault(report) -> str:
    assert len(report.faults) == 1, str(report)
    assert not report.ok
    return str(report.faults[0])


GOOD = "id,character\n1,homer_simpson\n2,moe_szyslak\n3,ned_flanders\n4,moe_szyslak\n"


# ---------------------------------------------------------------- write


def test_what_is_written_is_byte_for_byte_the_same_and_passes_the_check(
    sample, tmp_path
):
    path = tmp_path / "new" / "submission.csv"
    labels = np.array(["homer_simpson", "moe_szyslak", "ned_flanders", "moe_szyslak"])
    report = kaggle.write(np.arange(1, 5), labels, path, sample)
    assert path.read_bytes() == GOOD.encode()
    assert report == kaggle.check(path, sample)
    assert str(report) == "submission.csv: fine, 4 rows"


def test_the_header_is_the_samples(tmp_path):
    sample = tmp_path / "sample.csv"
    sample.write_text("Id,Label\n1,cat\n")
    kaggle.write([1], ["dog"], tmp_path / "s.csv", sample, class_names=("cat", "dog"))
    assert (tmp_path / "s.csv").read_bytes() == b"Id,Label\n1,dog\n"


def test_a_class_name_with_a_comma_is_quoted_and_read_back(tmp_path):
    sample = tmp_path / "sample.csv"
    sample.write_text("id,character\n1,cat\n")
    kaggle.write([1], ["dog, small"], tmp_path / "s.csv", sample)
    report = kaggle.check(tmp_path / "s.csv", sample)
    assert report.ok and not report.notes


def test_nothing_is_written_where_anything_is_wrong_and_all_of_it_is_told(
    sample, tmp_path
):
    path = tmp_path / "submission.csv"
    path.write_text("the old one")
    with pytest.raises(kaggle.SubmissionError) as caught:
        kaggle.write(
            [1, 2, 2, 9], ["homer_simpson", "moe", "", "moe_szyslak"], path, sample
        )
    assert path.read_text() == "the old one"
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == [
        path.name
    ]
    told = str(caught.value)
    assert "lines 3, 4: ids more than once: '2'" in told
    assert "line 4: empty class" in told
    assert "2 of 4 ids are missing: '3', '4'" in told
    assert "line 5: ids that the competition does not have: '9'" in told
    assert "line 3: unknown class 'moe'" in told
    assert len(caught.value.report.faults) == 5


def test_ids_and_labels_of_different_length_are_refused(sample, tmp_path):
    with pytest.raises(kaggle.SubmissionError, match="4 ids but 3 labels"):
        kaggle.write(range(1, 5), NAMES, tmp_path / "s.csv", sample)


def test_class_numbers_are_refused_with_the_way_out(sample, tmp_path):
    with pytest.raises(kaggle.SubmissionError, match=r"class_names\[label\]"):
        kaggle.write(range(1, 5), [0, 1, 2, 0], tmp_path / "s.csv", sample)


# ---------------------------------------------------------------- check


def test_a_good_file_has_neither_fault_nor_note(sample):
    report = checked(sample, GOOD)
    assert report.ok and report.rows == 4 and not report.notes


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD.replace("id,character", "id,class"), "line 1: header is 'id,class'"),
        (
            GOOD.replace("id,character\n", ""),
            "the first row seems to stand in its place",
        ),
        (GOOD.replace("3,ned_flanders\n", "\n3,ned_flanders\n"), "line 4: empty row"),
        (
            GOOD.replace("2,moe_szyslak", "2, moe_szyslak"),
            "line 3: spaces around a value",
        ),
        (GOOD.replace("2,moe_szyslak", "2,"), "line 3: empty class"),
        (b"\xef\xbb\xbf" + GOOD.encode(), "line 1: starts with a byte order mark"),
        (GOOD.encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
        (GOOD.replace("3,ned", "3,\0ned"), "line 4: has a NUL character"),
    ],
)
def test_a_file_with_one_fault(sample, content, told):
    report = checked(sample, content)
    assert not report.ok
    assert told in str(report)
    if "first row" not in told:  # that one is missing as an answer too
        only_fault(report)


def test_a_byte_that_is_not_utf8_is_named_with_its_line(sample):
    content = GOOD.encode().replace(b"3,ned", b"3,n\xe9d")
    told = str(checked(sample, content))
    assert "line 4: byte 0xe9 is not UTF-8" in told


def test_an_empty_file_has_no_header(sample):
    told = str(checked(sample, ""))
    assert "the file has no header; expected 'id,character'" in told
    assert "4 of 4 ids are missing" in told


def test_semicolons_are_recognised(sample):
    told = str(checked(sample, GOOD.replace(",", ";")))
    assert "lines 2, 3, 4, 5: 1 column instead of 2; separate them by a comma" in told


def test_an_open_quote_is_named_with_its_line(sample):
    told = str(checked(sample, GOOD.replace("2,moe_szyslak", '2,"moe_szyslak')))
    assert "cannot be read as CSV" in told


def test_file_names_and_decimals_as_ids_are_explained(sample):
    content = GOOD.replace("\n2,", "\ntest/2.jpg,").replace("\n3,", "\n3.0,")
    told = str(checked(sample, content))
    assert "lines 3, 4: ids that the competition does not have" in told
    assert "write 2, not test/2.jpg" in told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "moe_szyslakned_flanders",
            "two names in one: 'moe_szyslak' and 'ned_flanders'",
        ),
        ("Homer Simpson", "did you mean 'homer_simpson'?"),
        ("ned_flandres", "did you mean 'ned_flanders'?"),
        ("moe", "did you mean 'moe_szyslak'?"),
        ("1", "write the class's name"),
    ],
)
def test_an_unknown_class_is_told_once_with_what_was_meant(sample, name, told):
    content = GOOD.replace("2,moe_szyslak", f"2,{name}").replace(
        "4,moe_szyslak", f"4,{name}"
    )
    fault = only_fault(checked(sample, content))
    assert fault.startswith(f"lines 3, 5: unknown class {name!r}")
    assert told in fault


def test_nothing_is_suggested_for_a_name_like_no_other(sample):
    assert "did you mean" not in str(
        checked(sample, GOOD.replace("ned_flanders", "xyzzy"))
    )


def test_class_names_given_go_before_the_list_beside_the_sample(sample):
    report = checked(sample, GOOD, class_names=("homer_simpson",))
    assert "unknown class 'moe_szyslak'" in str(report)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD.replace("\n", "\r\n"), "lines end in CR LF"),
        (GOOD.replace("\n", "\r\n", 2), "lines 1, 2: some lines end in CR LF"),
        (GOOD.replace("moe_szyslak", '"moe_szyslak"'), "lines 3, 5: quotes around"),
        (GOOD.rstrip("\n"), "line 5: no line end"),
        (
            GOOD.replace(
                "2,moe_szyslak\n3,ned_flanders", "3,ned_flanders\n2,moe_szyslak"
            ),
            "another order",
        ),
    ],
)
def test_harmless_differences_are_notes_and_the_file_counts(sample, content, told):
    report = checked(sample, content)
    assert report.ok
    assert len(report.notes) == 1
    assert told in str(report.notes[0])


def test_without_a_sample_the_form_alone_is_checked(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("id,character\n7,someone\n7,someone_else\n")
    assert "ids more than once: '7'" in only_fault(kaggle.check(path))


def test_many_lines_with_one_fault_are_counted(sample):
    rows = "".join(f"{i},homer_simpson\n" for i in range(100, 200))
    told = str(checked(sample, "id,character\n" + rows))
    assert "lines 2, 3, 4, 5, 6 and 95 more: ids that the competition" in told
    assert "'104' and 95 more" in told
    assert "100 rows; expected 4" in told


def test_long_and_hostile_values_are_cut_and_escaped(sample):
    report = checked(sample, GOOD.replace("ned_flanders", "<script>" + "x" * 5000))
    assert len(str(report)) < 500
    page = report._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_a_missing_file_and_a_huge_one_are_refused_in_one_line(
    sample, tmp_path, monkeypatch
):
    with pytest.raises(
        LabkitError, match=r"nowhere\.csv: cannot be read \(No such file"
    ):
        kaggle.check(tmp_path / "nowhere.csv", sample)
    monkeypatch.setattr(kaggle, "LARGEST", 10)
    with pytest.raises(LabkitError, match="at most 10"):
        checked(sample, GOOD)


def test_a_broken_sample_is_named_as_such(sample):
    sample.write_text("id,character\n1,a\n1,b\n")
    with pytest.raises(
        kaggle.SubmissionError, match=r"sampleSubmission\.csv.*(\n.*)*once"
    ):
        checked(sample, GOOD)


# ---------------------------------------------------------------- score


def test_the_score_is_scikit_learns(sample, truth, tmp_path):
    from sklearn.metrics import f1_score

    checked(sample, GOOD)
    score = kaggle.score(tmp_path / "submission.csv", truth)
    said = [row["character"] for row in csv.DictReader(GOOD.splitlines())]
    assert score.accuracy == 0.75 and score.rows == 4
    assert score.macro_f1 == pytest.approx(
        f1_score(list(TRUTH.values()), said, average="macro")
    )
    assert score.class_names == NAMES
    assert score.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert (
        str(score)
        == f"submission: accuracy 75.00% (3 of 4), macro F1 {score.macro_f1:.4f}"
    )


def test_the_order_of_rows_does_not_change_the_score(sample, truth, tmp_path):
    head, *rows = GOOD.splitlines(keepends=True)
    checked(sample, head + "".join(reversed(rows)))
    assert kaggle.score(tmp_path / "submission.csv", truth).accuracy == 0.75


def test_a_file_with_faults_has_no_score(sample, truth, tmp_path):
    checked(sample, GOOD.replace("4,moe_szyslak\n", ""))
    with pytest.raises(kaggle.SubmissionError, match="1 of 4 ids are missing"):
        kaggle.score(tmp_path / "submission.csv", truth)


# ---------------------------------------------------------------- leaderboard


@pytest.fixture
def contest(tmp_path):
    """Two hundred pictures, and a function that hands in a file with so many right."""
    truth = tmp_path / "truth.csv"
    truth.write_text("id,character\n" + "".join(f"{i},a\n" for i in range(1, 201)))
    folder = tmp_path / "submissions"
    folder.mkdir()

    def hand_in(student, wrong):
        rows = (f"{i},{'b' if i in wrong else 'a'}\n" for i in range(1, 201))
        (folder / f"{student}.csv").write_text("id,character\n" + "".join(rows))

    return truth, folder, hand_in


def test_the_leaderboard_ranks_by_private_score_and_ties_share_a_rank(contest):
    truth, folder, hand_in = contest
    hand_in("cleo", set())
    hand_in("bea", set(range(1, 51)))
    hand_in("abe", set(range(1, 51)))
    hand_in("dan", set(range(1, 101)))
    board = kaggle.leaderboard(folder, truth)
    assert [(p.rank, p.student) for p in board.places] == [
        (1, "cleo"), (2, "abe"), (2, "bea"), (4, "dan"),
    ]  # fmt: skip
    assert (board.public_rows, board.private_rows) == (60, 140)
    for place, right in zip(board.places, (200, 150, 150, 100), strict=True):
        assert 60 * place.public + 140 * place.private == pytest.approx(right)
    lines = str(board).splitlines()
    assert lines[0].split() == [
        "rank",
        "student",
        "private",
        "public",
        "public",
        "rank",
    ]
    assert lines[1].split()[:4] == ["1", "cleo", "100.00%", "100.00%"]


def test_public_and_private_rows_are_the_same_whatever_the_order_of_the_truth(contest):
    truth, folder, hand_in = contest
    hand_in("abe", set(range(1, 51)))
    first = kaggle.leaderboard(folder, truth)
    head, *rows = truth.read_text().splitlines(keepends=True)
    truth.write_text(head + "".join(reversed(rows)))
    assert kaggle.leaderboard(folder, truth) == first


def test_the_public_score_alone_does_not_decide(contest):
    truth, folder, hand_in = contest
    ids = [str(i) for i in range(1, 201)]
    shown, hidden = kaggle._parts(kaggle._key(truth), 0.3)
    assert set(shown) | set(hidden) == set(ids) and not set(shown) & set(hidden)
    hand_in("overfitted", {int(i) for i in hidden})
    hand_in("honest", {int(i) for i in list(shown)[:30]})
    board = kaggle.leaderboard(folder, truth)
    assert [(p.student, p.public_rank) for p in board.places] == [
        ("honest", 2), ("overfitted", 1),
    ]  # fmt: skip


def test_bad_files_are_listed_with_their_reason_and_the_others_ranked(contest):
    truth, folder, hand_in = contest
    hand_in("good", set())
    (folder / "short.csv").write_text("id,character\n1,a\n")
    (folder / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    (folder / "folder.csv").mkdir()
    (folder / "thief.csv").symlink_to(truth)
    board = kaggle.leaderboard(folder, truth)
    assert [place.student for place in board.places] == ["good"]
    reasons = dict(board.refused)
    assert "199 of 200 ids are missing" in reasons["short.csv"]
    assert "not UTF-8" in reasons["picture.csv"]
    assert reasons["thief.csv"] == reasons["folder.csv"] == "not a plain file"
    assert "not ranked: thief.csv" in str(board)
    assert "thief.csv" in board._repr_html_()


def test_a_students_name_cannot_write_html(contest):
    truth, folder, hand_in = contest
    hand_in("<b>abe<b>", set())
    page = kaggle.leaderboard(folder, truth)._repr_html_()
    assert "<b>abe" not in page and "&lt;b&gt;abe" in page


@pytest.mark.parametrize("public", [0, 1, -0.3, 30])
def test_a_share_that_leaves_a_part_empty_is_refused(contest, public):
    truth, folder, _ = contest
    with pytest.raises(LabkitError, match="between 0 and 1"):
        kaggle.leaderboard(folder, truth, public)


def test_a_folder_that_is_none_is_refused(contest):
    truth, folder, _ = contest
    with pytest.raises(LabkitError, match="not a folder"):
        kaggle.leaderboard(folder / "none", truth)

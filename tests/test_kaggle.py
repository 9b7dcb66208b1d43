"""Submissions: what is written is what Kaggle takes; every fault is named, with its line."""

import numpy as np
import pytest

from labkit import kaggle
from labkit.errors import LabkitError

NAMES = ("homer_simpson", "moe_szyslak", "ned_flanders")


@pytest.fixture
def sample(tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "character_name.lst").write_text("\n".join(NAMES) + "\n")
    path = folder / "sampleSubmission.csv"
    path.write_text(
        "id,character\n" + "".join(f"{i},{NAMES[0]}\n" for i in range(1, 5))
    )
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
            "line 3: from here on rows stand in another order",
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
    monkeypatch.setattr("labkit.kaggle.table.LARGEST", 10)
    with pytest.raises(LabkitError, match="at most 10"):
        checked(sample, GOOD)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_class_names_may_have_spaces(sample, mark):
    names = "Red Panda\nSnow Leopard \n\n Cat\n"
    (sample.parent / "character_name.lst").write_text(mark + names, "utf-8")
    rows = "1,Red Panda\n2,Snow Leopard\n3,Cat\n4,{}\n"
    assert checked(sample, "id,character\n" + rows.format("Red Panda")).ok
    fault = only_fault(checked(sample, "id,character\n" + rows.format("red_panda")))
    assert fault.endswith("unknown class 'red_panda'; did you mean 'Red Panda'?")


def test_class_names_in_another_encoding_are_told(sample):
    names = sample.parent / "character_name.lst"
    names.write_bytes("Bär\n".encode("latin-1"))
    with pytest.raises(LabkitError, match=r"character_name\.lst is not UTF-8"):
        checked(sample, GOOD)


def test_the_sample_may_have_excels_mark_and_a_submission_may_not(sample):
    marked = b"\xef\xbb\xbf" + sample.read_bytes()
    sample.write_bytes(marked)
    assert checked(sample, GOOD).ok
    assert "byte order mark" in str(checked(sample, marked).faults[0])


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_pandas_index_column_is_recognised(sample, name):
    header, *rows = GOOD.splitlines()
    rows = [f"{number},{row}" for number, row in enumerate(rows)]
    content = "\n".join([f"{name},{header}", *rows, ""])
    told = str(checked(sample, content).faults[0])
    assert told.endswith("pandas' index; write the file with to_csv(..., index=False)")
    sample.write_text(content)
    with pytest.raises(kaggle.SubmissionError, match=r"sample.*(\n.*)*index=False"):
        checked(sample, GOOD)


def test_a_broken_sample_is_named_as_such(sample):
    sample.write_text("id,character\n1,a\n1,b\n")
    with pytest.raises(
        kaggle.SubmissionError, match=r"sampleSubmission\.csv.*(\n.*)*once"
    ):
        checked(sample, GOOD)


# ---------------------------------------------------------------- probabilities


@pytest.fixture
def wide_sample(tmp_path):
    """A sample that asks for a probability for each class."""
    path = tmp_path / "wide.csv"
    path.write_text("id,a,b,c\n1,0.2,0.3,0.5\n2,0.2,0.3,0.5\n")
    return path


def wide(path, *rows):
    file = path.with_name("s.csv")
    file.write_text("\n".join(["id,a,b,c", *rows]) + "\n")
    return kaggle.check(file, path)


def test_probabilities_are_written_in_the_samples_order_and_pass(wide_sample, tmp_path):
    shares = np.array([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3]])
    path = tmp_path / "s.csv"
    report = kaggle.write(
        [1, 2], shares, path, wide_sample, class_names=("c", "a", "b")
    )
    assert report.ok and not report.notes
    assert path.read_text() == (
        "id,a,b,c\n1,0.250000,0.250000,0.500000\n2,0.333333,0.333333,0.333333\n"
    )


def test_probabilities_without_a_sample_take_the_class_names(tmp_path):
    kaggle.write([7], [[0.25, 0.75]], tmp_path / "s.csv", class_names=("x", "y"))
    assert (tmp_path / "s.csv").read_text() == "id,x,y\n7,0.250000,0.750000\n"


def test_probabilities_for_other_classes_are_not_written(wide_sample, tmp_path):
    with pytest.raises(
        kaggle.SubmissionError, match="2 columns of probabilities for 3"
    ):
        kaggle.write([1, 2], np.full((2, 2), 0.5), tmp_path / "s.csv", wide_sample)
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("2,0.2,0.2,0.2", "line 3: probabilities of a row should add up to 1; the first add up to 0.6"),
        ("2,0.2,1.3,-0.5", "line 3: probabilities outside 0 to 1, the first 1.3"),
        ("2,0.2,nan,0.8", "line 3: not a number: 'nan'"),
        ("2,inf,0,0", "line 3: not a number: 'inf'"),
        ("2,high,0.5,0.5", "line 3: not a number: 'high'"),
        ("2,0.5,0.5", "line 3: 3 columns instead of 4"),
        ("2,0.5,,0.5", "line 3: empty probability"),
    ],
)  # fmt: skip
def test_a_row_of_bad_probabilities(wide_sample, row, told):
    report = wide(wide_sample, "1,0.2,0.3,0.5", row)
    assert not report.ok
    assert str(report.faults[0]) == told


def test_rounded_probabilities_pass(wide_sample):
    assert wide(wide_sample, "1,0.3333,0.3333,0.3333", "2,1,0,0").ok


def test_class_names_where_probabilities_are_asked_for(wide_sample):
    file = wide_sample.with_name("s.csv")
    file.write_text("id,character\n1,a\n2,b\n")
    told = str(kaggle.check(file, wide_sample))
    assert "header is 'id,character'; expected 'id,a,b,c'" in told
    assert "lines 2, 3: 2 columns instead of 4" in told


def test_columns_in_another_order_are_a_fault(wide_sample):
    file = wide_sample.with_name("s.csv")
    file.write_text("id,b,a,c\n1,0.2,0.3,0.5\n2,0.2,0.3,0.5\n")
    told = only_fault(kaggle.check(file, wide_sample))
    assert "the columns stand in another order" in told


def test_every_fault_of_a_spoilt_file_is_told_in_one_go(sample):
    lines = [
        "\ufeffid,label",
        "1,moe_szyslakned_flanders",
        "1,",
        "9,homer_simpson",
        " 2,homer_simpson",
        "",
        "3,homer_simpson,0.9",
    ]
    report = checked(sample, "\r\n".join(lines))
    told = str(report)
    for part in (
        "byte order mark",
        "header is 'id,label'",
        "line 2: unknown class 'moe_szyslakned_flanders'; two names in one",
        "lines 2, 3: ids more than once: '1'",
        "line 3: empty class",
        "ids that the competition does not have: '9', ' 2'",
        "line 5: spaces around a value",
        "line 6: empty row",
        "line 7: 3 columns instead of 2",
        "3 of 4 ids are missing",
        "lines end in CR LF",
        "no line end at the end",
    ):
        assert part in told, told

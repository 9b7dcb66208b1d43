"""Similarity: who copied is listed, who wrote alone is not, and nobody is accused."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labkit.errors import LabkitError
from labkit.grading.results.similarity import compare_class, write_similarity

LAB = "91_tiny"
STARTER = {
    "convolve": 'def convolve(image, kernel, stride=1):\n    """The response."""\n',
    "helpers": "# Write softmax and accuracy here.\n",
}
STUB = '    # YOUR CODE HERE\n    raise NotImplementedError("Write your code here.")\n'

ANN = {
    "convolve": STARTER["convolve"]
    + """    size = kernel.shape[0]
    height = (image.shape[0] - size) // stride + 1
    width = (image.shape[1] - size) // stride + 1
    output = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            top, left = row * stride, column * stride
            window = image[top : top + size, left : left + size]
            output[row, column] = np.sum(window * kernel)
    return output
""",
    "helpers": """def softmax(scores):
    shifted = scores - scores.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    return powers / powers.sum(axis=1, keepdims=True)

def accuracy(predicted, labels):
    if len(predicted) != len(labels):
        raise ValueError("not as many")
    return float(np.mean(predicted == labels))
""",
}
BEN = {
    "convolve": STARTER["convolve"]
    + """    k = len(kernel)
    out = []
    for y in range(0, len(image) - k + 1, stride):
        line = []
        for x in range(0, len(image[0]) - k + 1, stride):
            total = 0.0
            for i in range(k):
                for j in range(k):
                    total += image[y + i, x + j] * kernel[i, j]
            line.append(total)
        out.append(line)
    return np.array(out)
""",
    "helpers": """def softmax(scores):
    e = np.exp(scores - np.max(scores, axis=-1)[:, None])
    return (e.T / np.sum(e, axis=-1)).T

def accuracy(predicted, labels):
    hits = [p == t for p, t in zip(predicted, labels, strict=True)]
    return sum(hits) / len(hits)
""",
}
CAS = {
    "convolve": STARTER["convolve"]
    + """    views = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("ijkl,kl->ij", views[::stride, ::stride], kernel)
""",
    "helpers": """def softmax(scores):
    biggest = np.amax(scores, 1).reshape(-1, 1)
    weights = np.exp(scores - biggest)
    weights /= weights.sum(1).reshape(-1, 1)
    return weights

def accuracy(predicted, labels):
    right = 0
    for guess, truth in zip(predicted, labels, strict=True):
        if guess == truth:
            right += 1
    return right / len(labels)
""",
}


def renamed(answers):
    """Ann's answers with a new name for everything that can have one."""
    names = re.findall(r"(\w+)(?:, \w+)* = |for (\w+) in", "\n".join(answers.values()))
    names = {name for pair in names for name in pair if name}
    pattern = rf"\b({'|'.join(sorted(names))})\b(?!=)"
    return {
        cell: re.sub(pattern, lambda found: f"my_{found[1]}", text)
        for cell, text in answers.items()
    }


def commented(answers):
    return {
        cell: re.sub(
            r"^(    \w.*)$", r"    # I thought of this.\n\1  # here", text, flags=re.M
        )
        for cell, text in answers.items()
    }


def reordered(answers):
    first, second = answers["helpers"].split("\n\n")
    return {**answers, "helpers": f"{second.rstrip()}\n\n{first}\n"}


def notebook(answers):
    cells = [new_markdown_cell("# A lab")]
    for name, text in answers.items():
        metadata = {"grade_id": name, "solution": True, "grade": False, "locked": False}
        cells.append(new_code_cell(text, metadata={"nbgrader": metadata}))
    cells.append(new_code_cell("print('the same in every notebook')\n" * 20))
    return new_notebook(cells=cells)


@pytest.fixture
def hand_in(course):
    """A released lab of two answer cells; hands in answers or the text of a file."""
    released = course.notebooks / LAB
    released.mkdir(parents=True)
    blank = {**STARTER, "convolve": STARTER["convolve"] + STUB}
    nbformat.write(notebook(blank), released / f"{LAB}.ipynb")

    def put(student, answers):
        folder = course.submitted / student / LAB
        folder.mkdir(parents=True)
        if isinstance(answers, str):
            (folder / f"{LAB}.ipynb").write_text(answers)
        else:
            nbformat.write(notebook(answers), folder / f"{LAB}.ipynb")

    put.blank = blank
    return put


def compare(course, at_least=0.8):
    (found,) = compare_class(course, None, at_least)
    return found


@pytest.mark.parametrize(
    "change",
    [dict, renamed, commented, reordered, lambda answers: reordered(renamed(answers))],
    ids=["as it is", "renamed", "commented", "reordered", "reordered and renamed"],
)
def test_a_copy_is_listed_and_independent_work_is_not(course, hand_in, change):
    copy = change(ANN)
    assert change is dict or copy != ANN
    for student, answers in {"ann": ANN, "ben": BEN, "cas": CAS, "dan": copy}.items():
        hand_in(student, answers)
    found = compare(course)
    assert (found.compared, found.total, found.found) == (4, 6, 1)
    (pair,) = found.pairs
    assert (pair.first, pair.second) == ("ann", "dan")
    assert min(pair.first_share, pair.second_share) >= 0.8
    assert found.median < 0.3


def test_what_both_have_is_marked_and_what_was_handed_out_is_not_shown(course, hand_in):
    hand_in("ann", ANN)
    hand_in("dan", {**ANN, "helpers": BEN["helpers"]})
    (pair,) = compare(course, at_least=0.5).pairs
    marked = "".join(re.findall("<mark>(.*?)</mark>", pair.second_code, re.S))
    assert "np.zeros((height, width))" in marked
    assert "hits" not in marked
    assert "# helpers" in pair.second_code
    assert "The response" not in pair.second_code
    assert pair.first_share == pytest.approx(pair.second_share, abs=0.15)


def test_a_part_of_another_answer_counts_by_the_smaller_one(course, hand_in):
    hand_in("ann", ANN)
    hand_in("eve", {"convolve": ANN["convolve"], "helpers": STARTER["helpers"]})
    (pair,) = compare(course).pairs
    assert pair.second_share > 0.95
    assert 0.4 < pair.first_share < 0.8


def test_blank_releases_do_not_match(course, hand_in):
    for student in ("one", "two", "three"):
        hand_in(student, hand_in.blank)
    found = compare(course, at_least=0.0)
    assert (found.compared, found.found, found.pairs) == (0, 0, ())
    assert found.short == ("one", "three", "two")
    assert "3 too short to compare" in found.text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        '{"cells": 3}',
        "[]",
        '{"cells": [{}]}',
        "[" * 100_000,
    ],
    ids=["empty", "text", "number", "list", "no type", "deep"],
)
def test_what_cannot_be_read_is_listed_and_the_rest_compared(course, hand_in, text):
    hand_in("ann", ANN)
    hand_in("dan", ANN)
    hand_in("torn", text)
    (course.submitted / "nobody" / LAB).mkdir(parents=True)
    found = compare(course)
    assert found.found == 1
    assert "91_tiny.ipynb" in found.unreadable["torn"]
    assert "There is no notebook" in found.unreadable["nobody"]


def test_a_notebook_of_another_name_is_compared(course, hand_in):
    hand_in("ann", ANN)
    hand_in("dan", renamed(ANN))
    path = course.submitted / "dan" / LAB / f"{LAB}.ipynb"
    path.rename(path.with_name("my lab (1).ipynb"))
    assert compare(course).found == 1


def test_a_class_of_many_is_compared_in_blocks(course, hand_in, monkeypatch):
    monkeypatch.setattr("labkit.grading.results.similarity.BLOCK", 2)
    for number, answers in enumerate([ANN, BEN, CAS, ANN, BEN]):
        hand_in(f"s{number}", answers)
    found = compare(course)
    assert [(p.first, p.second) for p in found.pairs] == [("s0", "s3"), ("s1", "s4")]
    assert sum(found.usual) == found.total == 10


def test_the_page_shows_pairs_and_the_usual_and_accuses_nobody(
    course, hand_in, tmp_path
):
    hand_in("ann", {**ANN, "helpers": ANN["helpers"] + "x = '<script>'\n"})
    hand_in("<i>dan", renamed(ANN))
    hand_in("ben", BEN)
    hand_in("torn", "not json")
    write_similarity([compare(course)], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<mark>" in page
    assert "half share" in page
    assert "proves nothing" in page
    assert "alt=" in page
    assert "<script" not in page
    assert "<i>dan" not in page
    assert "torn" in page
    assert not re.search(r"cheat|plagiar|suspect|guilty", page, re.I)
    assert not re.search(r'(?:src|href)="(?!data:)', page)


def test_the_page_passes_axe_and_fits_a_phone(
    course, hand_in, tmp_path, assert_accessible
):
    hand_in("ann", ANN)
    hand_in("dan", renamed(ANN))
    hand_in("torn", "not json")
    write_similarity([compare(course)], tmp_path / "page.html")
    assert_accessible(tmp_path / "page.html")


def test_without_a_release_it_says_what_to_type(course, hand_in):
    hand_in("ann", ANN)
    (course.notebooks / LAB / f"{LAB}.ipynb").unlink()
    with pytest.raises(LabkitError, match="Type: labkit release 91_tiny"):
        compare(course)


def test_labkit_similarity_writes_the_page(course, hand_in, run_command):
    hand_in("ann", ANN)
    hand_in("dan", renamed(ANN))
    done = run_command("labkit", "similarity", "91", folder=course.root)
    assert done.returncode == 0, done.stderr
    assert "91_tiny: 1 of 1 pairs share 80% or more" in done.stdout
    assert (course.build / "similarity.html").is_file()

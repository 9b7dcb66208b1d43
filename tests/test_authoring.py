"""A lab's text: what is read from it, and every fault in it named at once."""

import re
import shutil

import nbformat
import pytest

from labkit.authoring.sample_class import write_class
from labkit.course import Course
from labkit.labs.lab import LabError, find_labs, read_lab
from labkit.labs.source import source_notebook, write_source, write_sources

HEADER = """\
# ---
# jupyter:
#   labkit:
#     title: Lab
#     summary: A lab.
#     minutes: 10
# ---

"""


@pytest.fixture
def write(tmp_path):
    def make(text, header=HEADER):
        path = tmp_path / "solutions" / "92_made" / "92_made.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + text)
        return path

    return make


def metadata(path):
    notebook = source_notebook(read_lab(path))
    return {
        cell.id: cell.metadata.nbgrader
        for cell in notebook.cells
        if "nbgrader" in cell.metadata
    }


def test_short_roles_become_full_nbgrader_metadata(course):
    roles = metadata(course.solutions / "91_tiny" / "91_tiny.py")
    assert roles["double"] == {
        "schema_version": 3,
        "grade_id": "double",
        "grade": False,
        "solution": True,
        "locked": False,
        "task": False,
    }
    assert roles["check-double"]["points"] == 3
    assert roles["check-double"]["locked"]
    assert roles["manual-why"] == {
        "schema_version": 3,
        "grade_id": "manual-why",
        "grade": True,
        "solution": True,
        "locked": False,
        "task": False,
        "points": 2,
    }


def test_mistakes_are_not_in_the_source_notebook(course):
    notebook = source_notebook(read_lab(course.solutions / "91_tiny" / "91_tiny.py"))
    assert "adds_two" not in nbformat.writes(notebook)
    assert "half_of_ten = 5" in nbformat.writes(notebook)


def test_ids_do_not_change_when_a_cell_is_put_before_them(write):
    before = [
        c.id
        for c in source_notebook(read_lab(write("# %%\nx = 1\n\n# %%\nx = 1\n"))).cells
    ]
    after = [
        c.id
        for c in source_notebook(
            read_lab(write("# %%\ny = 2\n\n# %%\nx = 1\n\n# %%\nx = 1\n"))
        ).cells
    ]
    assert after[1:] == before
    assert len(set(after)) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('# %% solution="f"\ndef f(): return 1\n', "has no ### BEGIN SOLUTION"),
        ('# %% check="f"\ncheck("a", 1)\n', "points=None"),
        ('# %% check="f" points=0\ncheck("a", 1)\n', "points=0"),
        ('# %% check="f" points=1\nx = 1\n', "calls neither check"),
        ('# %% check="f" points=1\ncheck(name, 1)\n', "without a literal name"),
        (
            '# %% check="f" points=1\ncheck("a", 1)\ncheck("a", 2)\n',
            "'a' stands 2 times",
        ),
        (
            '# %% check="f" points=1\ncheck("a", 1)\n\n# %% check="f" points=1\ncheck("b", 1)\n',
            "stands twice",
        ),
        ('# %% check="f" points=1\ncheck("a", 1\n', "is not Python"),
        ('# %% mistakes="f"\ndef g():\n    """Hint."""\n', "no check='f'"),
        (
            '# %% check="f" points=1\ncheck("a", 1)\n\n# %% mistakes="f"\ndef g(): pass\n',
            "g() has no docstring",
        ),
        ('# %% sollution="f"\nx = 1\n', "unknown attribute 'sollution'"),
        (
            "# %%\nimport keras\nfrom labkit import check\n",
            "imports keras before labkit",
        ),
        (
            '# %% solution="f g"\n### BEGIN SOLUTION\n### END SOLUTION\n',
            "is not a name",
        ),
        (
            '# %% manual="why" points=2\n# Because.\n',
            "expected # %% [markdown] manual=",
        ),
        ('# %% [markdown] check="f" points=1\n# check\n', "expected # %% check="),
        ("# %% solution=f\nx = 1\n", 'a text is written solution="..."'),
        ('# %% solution="f" solution="g"\nx = 1\n', "solution= stands twice"),
        ('# %% solution=["f"]\nx = 1\n', "solution=['f'] is not a name"),
        (
            '# %% solution="f", tags=[]\nx = 1\n',
            "is no header of a cell; expected # %%",
        ),
        ("# %% solution\nx = 1\n", 'solution names nothing; write solution="..."'),
        ('# %% solution="f" points=1\nx = 1\n', "unknown attribute 'points'"),
        ('# %% [code] solution="f"\nx = 1\n', "is no header of a cell"),
        ('# %% tags="needed"\nx = 1\n', "expected a list of texts"),
        ("# %% tags=[3]\nx = 1\n", "expected a list of texts"),
        ('# %% tags=["neded"]\nx = 1\n', "unknown tag 'neded'; do you mean"),
        ('# %% tags=["foldd"]\nx = 1\n', 'do you mean tags=["folded"]?'),
        ('# %% [markdown] tags=["folded"]\n# x\n', "is for given code cells"),
        ('# %% solution="f" tags=["folded"]\nx = 1\n', "is for given code cells"),
        ("# %% active=3\nx = 1\n", "unknown attribute 'active'"),
        ('# %% check="f" points=NaN\ncheck("a", 1)\n', "points=nan"),
        ('# %% check="f" points=true\ncheck("a", 1)\n', "points=True"),
        ("# %%\nx = = 1\n", "is not Python"),
        ('# %% check="f" points=1\ncheck("\0", 1)\n', "is not Python"),
        (
            "# %%\n### BEGIN SOLUTION\n",
            "BEGIN SOLUTION belongs in a cell with solution=",
        ),
        (
            '# %% check="f" points=1\n### BEGIN HIDDEN TESTS\ncheck("a", 1)\n',
            "each BEGIN has its END",
        ),
        (
            '# %% check="f" points=1\ncheck("a", 1)\n\n# %% solution="f"\n'
            "### BEGIN SOLUTION\n### END SOLUTION\n",
            "stands above its solution, which is in line 12",
        ),
        ('# %%\nx = 1\n# %%check="f" points=1\n', "begins no cell"),
        (
            "# %% [markdown]\n# a kernel (sum\n# 1) gives 200\n",
            "begins a list within a paragraph",
        ),
        ("# %% [markdown]\n# ten\n# - two\n", "begins a list within a paragraph"),
        (
            "# %% [markdown]\n# - Theory of edges. Proc.,\n#   1980.\n",
            "begins a list within a paragraph",
        ),
    ],
)
def test_faults_are_named_with_file_and_line(write, text, words):
    path = write(text)
    with pytest.raises(LabError) as caught:
        read_lab(path)
    lines = str(caught.value).splitlines()
    assert [line for line in lines if words in line]
    assert all(re.match(rf"{re.escape(str(path))}:\d+: ", line) for line in lines)


def test_lists_that_are_meant_are_no_faults(write):
    text = "Seen:\n\n1. one\n   of\n2. two\n- three\n\n# Title\n- four\n\n$$a\n- b$$"
    lines = "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())
    assert read_lab(write("# %% [markdown]\n" + lines)).title == "Lab"


def test_a_folded_cell_shows_its_picture_and_hides_its_code(write):
    path = write('# %% tags=["folded", "needed"]\nx = 1\n\n# %%\ny = 2\n')
    folded, plain = source_notebook(read_lab(path)).cells
    assert folded.metadata == {"jupyter": {"source_hidden": True}, "tags": ["needed"]}
    assert plain.metadata == {}


def test_a_fault_is_told_with_its_own_line(write):
    path = write('# %%\nx = 1\n\n# %% check="f" points=1\n\ncheck("a", 1))\n')
    with pytest.raises(LabError, match=rf"^{re.escape(str(path))}:14: is not Python"):
        read_lab(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("title: [Lab", ":5: the header is not YAML"),
        ("title: 1: 2", ":4: the header is not YAML"),
        ("\ttitle: a", ":4: the header is not YAML"),
        ("title: *x", ":4: the header is not YAML"),
    ],
)
def test_a_header_that_is_not_yaml_hides_no_other_fault(write, line, words):
    path = write('# %% check="f"\ny = 1\n', HEADER.replace("title: Lab", line))
    with pytest.raises(LabError) as caught:
        read_lab(path)
    assert words in str(caught.value)
    assert ":9: points=None" in str(caught.value)


@pytest.mark.parametrize("section", ["jupytext: 3", "kernelspec: 3"])
def test_other_sections_of_the_header_do_not_matter(write, section):
    header = HEADER.replace("#   labkit:", f"#   {section}\n#   labkit:")
    assert read_lab(write("# %%\nx = 1\n", header)).title == "Lab"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("zzz: 1", "unknown field 'zzz'. The fields: title, summary"),
        ("sumary: S.", "unknown field 'sumary'; do you mean summary?"),
        ("shows: {a.txt: 3}", "expected files with captions"),
        ("run_seconds: [67]", "expected two numbers above 0, such as"),
        ("sample_mistakes: [[a]]", "expected names of mistakes"),
        ("minutes: 20", "minutes: stands twice in the header"),
        ("grading_seconds: -1", "expected a number above 0"),
        ("sample_mistakes: [guesses]", "no exercise declares such a mistake"),
    ],
)
def test_faults_of_the_header_are_named(write, line, words):
    # The mistake belongs to a check of what is no exercise: nobody can have made it.
    text = """\
# %% check="given" points=1
check("a number", given)

# %% mistakes="given"
def guesses():
    \"\"\"You guessed.\"\"\"
    return 1
"""
    assert read_lab(write(text)).sample_mistakes == []
    path = write(text, HEADER.replace("#     title:", f"#     {line}\n#     title:"))
    with pytest.raises(LabError) as caught:
        read_lab(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_header_that_is_no_table_is_told(write):
    path = write("", "# ---\n# jupyter:\n#   labkit: A lab\n# ---\n\n")
    with pytest.raises(LabError, match="is 'A lab'; expected fields: title, summary"):
        read_lab(path)


def test_a_lab_of_questions_alone_has_a_sample_class(write):
    path = write('# %% [markdown] manual="why" points=2\n# Because.\n')
    course = Course.at(path.parents[2])
    released = course.notebooks / path.stem
    released.mkdir(parents=True)
    nbformat.write(source_notebook(read_lab(path)), released / f"{path.stem}.ipynb")
    found = write_class(course, course.notebooks)
    assert found == ["blank", "half_way", "late", "perfect"]


def test_all_faults_come_at_once(write):
    path = write('# %% solution="f"\nx = 1\n\n# %% check="g"\ny = 1\n', header="")
    with pytest.raises(LabError) as caught:
        read_lab(path)
    assert len(str(caught.value).splitlines()) == 4


def test_labs_are_found_by_prefix(course):
    assert [path.stem for path in find_labs(course.solutions, ["91"])] == ["91_tiny"]
    with pytest.raises(LabError, match="The labs: 91_tiny"):
        find_labs(course.solutions, ["07"])


def test_an_older_text_that_is_put_back_is_what_counts(course):
    path = course.solutions / "91_tiny" / "91_tiny.py"
    kept = shutil.copy2(path, course.root / "kept.py")  # as `cp -p` does
    path.write_text(path.read_text().replace("A tiny lab", "A newer lab"))
    source = write_source(path)
    assert "A newer lab" in source.read_text()
    shutil.copy2(kept, path)
    assert "A tiny lab" in write_source(path).read_text()
    written = source.stat().st_mtime_ns
    assert write_source(path).stat().st_mtime_ns == written


def test_a_lab_that_is_being_written_leaves_the_others_their_sources(course):
    torn = course.lab("90_torn")
    torn.parent.mkdir()
    torn.write_text('# %% check="f"\n')
    write_sources(course)
    assert course.lab("91_tiny").with_suffix(".ipynb").is_file()
    assert not torn.with_suffix(".ipynb").exists()

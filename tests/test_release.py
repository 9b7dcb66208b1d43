"""Release: what a student gets, and what is refused."""

import json

import nbformat
import pytest

from labkit.authoring.release import release
from labkit.authoring.run import reference_solution_run
from labkit.checks.references import References
from labkit.labs.lab import LabError, read_lab
from labkit.labs.reference_run import lab_references, references_path

LAB = "91_tiny"


def replace(course, old, new):
    path = course.solutions / LAB / f"{LAB}.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def notebook(course):
    return nbformat.read(course.notebooks / LAB / f"{LAB}.ipynb", as_version=4)


def test_the_release_holds_stubs_and_nothing_of_the_staff(released_course):
    text = (released_course.notebooks / LAB / f"{LAB}.ipynb").read_text()
    for secret in (
        "2 * np",
        "adds_two",
        "a table",
        "HIDDEN",
        "SOLUTION",
        "two is even",
    ):
        assert secret not in text
    assert text.count("raise NotImplementedError") == 3
    assert "YOUR ANSWER HERE" in text
    assert all(not cell.get("outputs") for cell in notebook(released_course).cells)


def test_visible_expected_values_ship_and_hidden_ones_do_not(released_course):
    text = (released_course.notebooks / LAB / "expected.json").read_text()
    cells = json.loads(text)["cells"]
    assert [check["name"] for check in cells["check-double"]] == [
        "a number",
        "an array",
    ]
    assert "a table" not in text
    assert cells["check-double"][0]["names"] == ["double"]
    hints = [mistake["hint"] for mistake in cells["check-double"][1]["mistakes"]]
    assert "You added 2 where you should multiply by it." in hints


def test_the_start_page_names_the_lab(released_course):
    page = (released_course.notebooks / "start.md").read_text()
    assert f"[A tiny lab]({LAB}/{LAB}.ipynb)" in page
    assert "1\u00a0h\u00a015\u00a0min" in page


def test_a_second_release_changes_nothing(released_course):
    files = {
        path: path.read_bytes()
        for path in released_course.notebooks.rglob("*")
        if path.is_file()
    }
    assert all(not done.changed for done in release(released_course))
    assert {
        path: path.read_bytes()
        for path in released_course.notebooks.rglob("*")
        if path.is_file()
    } == files


def test_check_finds_an_edited_release_and_leaves_it(released_course):
    path = released_course.notebooks / LAB / f"{LAB}.ipynb"
    path.write_text(path.read_text().replace("Twice x", "Thrice x"))
    changed = [
        name for done in release(released_course, check=True) for name in done.changed
    ]
    assert changed == [f"{LAB}.ipynb"]
    assert "Thrice x" in path.read_text()


def test_check_finds_a_changed_expected_value_but_not_its_last_digit(released_course):
    from labkit.checks.values import decode, encode

    path = released_course.notebooks / LAB / "expected.json"
    data = json.loads(path.read_text())
    check = data["cells"]["check-double"][0]
    right = decode(check["value"])
    for factor, changed in ((1 + 1e-12, []), (1.1, ["expected.json"])):
        check["value"] = encode(right * factor)
        path.write_text(json.dumps(data))
        assert [
            name
            for done in release(released_course, check=True)
            for name in done.changed
        ] == changed


def test_a_mistake_that_no_check_catches_stops_the_release(course):
    replace(course, "return np.asarray(x) + 2", "return np.asarray(x) * 2")
    with pytest.raises(LabError, match="does not catch the mistake adds_two"):
        release(course)
    assert not course.notebooks.exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "return np.asarray(x) + 2",
            'raise TypeError("no value")',
            r"adds_two can never show.* raises TypeError",
        ),
        (
            'halved it twice."""\n    return 2',
            'halved it twice."""\n    return 1 / 0',
            r"divides_twice can never show.* raises ZeroDivisionError",
        ),
        (
            "def adds_two(x):",
            "wrong = never_made\n\n\ndef adds_two(x):",
            r"91_tiny.py:4\d: the cell 'wrong = never_made' .* raises NameError",
        ),
    ],
    ids=["a function", "a value", "outside of them"],
)
def test_mistakes_that_fail_stop_the_release(course, old, new, told):
    replace(course, old, new)
    with pytest.raises(LabError, match=told):
        release(course)


def test_a_solution_that_fails_stops_the_release(course):
    replace(course, "return 2 * np.asarray(x)", "return 2 * np.asarray(y)")
    with pytest.raises(LabError, match="raises NameError"):
        release(course)


def test_a_hidden_line_outside_its_markers_stops_the_release(course):
    replace(
        course,
        "### END HIDDEN TESTS",
        '### END HIDDEN TESTS\n# check("a table", double(rng.normal(size=(2, 3))), weight=2)',
    )
    with pytest.raises(LabError, match="holds the hidden line"):
        release(course)


def test_a_mark_for_the_author_outside_its_solution_stops_the_release(course):
    replace(course, "def double(x):", "# equivalent: 2 -> 3\ndef double(x):")
    with pytest.raises(LabError, match="holds the mark '# equivalent: 2 -> 3'"):
        release(course)


def test_faults_of_all_labs_come_in_one_list(course):
    replace(course, "return np.asarray(x) + 2", "return np.asarray(x) * 2")
    other = course.solutions / "93_other" / "93_other.py"
    other.parent.mkdir()
    other.write_text("# %%\nx = 1\n")
    with pytest.raises(LabError) as caught:
        release(course)
    assert "adds_two" in str(caught.value)
    assert "93_other" in str(caught.value)


def test_a_solution_that_the_grader_would_not_pass_stops_the_release(course):
    replace(course, 'check("a number", double(2.0))', UNSTABLE)
    with pytest.raises(LabError, match=r"solution gets 1.5 of 3 points.*'a number'"):
        release(course)


UNSTABLE = """\
from labkit import data
check("a number", float(data.load("mnist").test_labels[:50].sum()), weight=3)"""


def test_a_blank_lab_that_earns_points_stops_the_release(course):
    replace(course, "assert noisy(3) == 3", "assert 3 == 3")
    with pytest.raises(LabError, match="the blank lab gets 1 in check-plain"):
        release(course)


def test_a_blank_lab_that_breaks_before_its_first_exercise_stops_the_release(course):
    replace(
        course, '# %% solution="double"', '# %%\nhalf_of_ten\n\n# %% solution="double"'
    )
    with pytest.raises(LabError, match=r"raises NameError|stops at cell"):
        release(course)


def test_pages_beside_the_labs_are_handed_out_and_their_headings_linked(course):
    page = course.solutions / "glossary.md"
    page.write_text("# Glossary\n\n### learning rate\n\nHow far.\n")
    (course.solutions / "README.md").write_text("For authors.")
    link = "[rate](../glossary.md#learning-rate)"
    replace(course, "# # A tiny lab\n", f"# # A tiny lab\n# {link}\n")
    release(course)
    assert (course.notebooks / "glossary.md").read_text() == page.read_text()
    assert not (course.notebooks / "README.md").exists()
    replace(course, link, link.replace("rate)", "rat)"))
    with pytest.raises(LabError, match="learning-rat' leads nowhere"):
        release(course)


def test_links_and_images_that_lead_nowhere_stop_the_release(course):
    links = "[a](missing.png) ![b](no.svg) <img src='c.png'> [d](#Nowhere)"
    good = "[e](#A-tiny-lab) [f](https://keras.io/api) [g](../91_tiny/91_tiny.ipynb) [h](there.txt)"
    replace(course, "# # A tiny lab\n", f"# # A tiny lab\n# {links}\n# {good}\n")
    (course.solutions / LAB / "there.txt").write_text("here")
    with pytest.raises(LabError) as caught:
        release(course)
    text = str(caught.value)
    for target in ("missing.png", "no.svg", "c.png", "#Nowhere"):
        assert f"the link {target!r} leads nowhere" in text
    assert text.count("leads nowhere") == 4


def test_a_link_to_a_heading_that_jupyterlab_does_not_find_stops_the_release(course):
    replace(course, "# # A tiny lab\n", "# # Größe\n# [a](#Größe)\n")
    with pytest.raises(LabError, match=r"plain letters .* Give 'Größe.* another"):
        release(course)


def test_a_solution_over_its_budget_stops_the_release(course, machine):
    machine(1)
    replace(course, "minutes: 75", "minutes: 75\n#     grading_seconds: 0.2")
    busy = "x = sum(i * i for i in range(15_000_000))\nhalf_of_ten = 5"
    replace(course, "half_of_ten = 5\n###", f"{busy}\n###")
    with pytest.raises(
        LabError,
        match=r"CPU seconds at grading, its budget is 0\.2; the",
    ):
        release(course)


def test_two_mistakes_that_cannot_be_told_apart_stop_the_release(course):
    twin = 'def divides_twice():\n    """You halved it twice."""\n    return 2\n'
    other = twin.replace("divides_twice", "takes_two").replace("You halved", "No, you")
    replace(course, twin, f"{twin}\n\n{other}")
    with pytest.raises(LabError, match="the hint of takes_two does not show"):
        release(course)


def test_a_draw_outside_the_hidden_tests_stops_the_release(course):
    replace(course, 'check("a number"', 'rng = check.rng()\ncheck("a number"')
    with pytest.raises(LabError, match=r"draws from check\.rng\(\) outside its hidden"):
        release(course)


def test_a_visible_check_below_a_draw_stops_the_release(course):
    replace(
        course,
        "weight=2)\n### END HIDDEN TESTS",
        'weight=2)\n### END HIDDEN TESTS\ncheck("another number", double(3.0))',
    )
    with pytest.raises(
        LabError, match="'another number' would count as one of hidden inputs"
    ):
        release(course)


def test_a_hidden_value_in_a_file_of_the_release_stops_it(course):
    release(course)
    from labkit.authoring.gate import file_faults
    from labkit.course import Course

    lab = read_lab(course.solutions / LAB / f"{LAB}.py")
    path = Course.at(course.root).build / "references" / f"{LAB}.json"
    references = References.load(path)
    table = next(check for check in references.checks() if check.name == "a table")
    folder = course.notebooks / LAB
    assert file_faults(lab, folder, references, {LAB}) == []
    (folder / "notes.txt").write_text(f"for later: {table.value['npy']}")
    assert file_faults(lab, folder, references, {LAB}) == [
        "notes.txt holds the value of the hidden check 'a table'"
    ]


def test_a_drawn_check_that_never_changes_stops_the_release(course):
    drawn = 'check("a table", double(rng.normal(size=(2, 3))), weight=2)\n'
    fixed = 'check("its shape", double(rng.normal(size=(2, 3))).shape)\n'
    replace(course, drawn, drawn + fixed)
    with pytest.raises(LabError) as caught:
        release(course)
    text = course.lab(LAB).read_text()
    line = 1 + text.splitlines().index('# %% check="double" points=3')
    assert str(caught.value).splitlines() == [
        f"{course.lab(LAB)}:{line}: the drawn check 'its shape' expects the same for every "
        "seed, so it can be known before. Check a value that depends on what check.rng() gives"
    ]


def test_a_new_course_gets_its_seed_with_its_first_release(course, run_command):
    done = run_command("labkit", "release", folder=course.root, LABKIT_SEED="")
    assert done.returncode == 0, done.stderr
    assert "seed" in course.settings_file.read_text()


def test_a_mistake_that_no_drawn_check_catches_stops_the_release(course):
    byte = 'check("a byte", double(np.uint8(200)), weight=0.5)\n'
    replace(course, "rng = check.rng()\n", f"{byte}rng = check.rng()\n")
    mistake = '''\
def ends_at_a_byte(x):
    """You stop at 255. Twice a byte can be more."""
    return np.minimum(2 * np.asarray(x, float), 255)


'''
    replace(course, "def adds_two(x):", f"{mistake}def adds_two(x):")
    with pytest.raises(LabError) as caught:
        release(course)
    text = course.lab(LAB).read_text()
    line = 1 + text.splitlines().index('# %% check="double" points=3')
    assert str(caught.value).splitlines() == [
        f"{course.lab(LAB)}:{line}: no drawn check catches the mistake ends_at_a_byte of "
        "double, so the values that others know hide it. Put what it gets wrong among the "
        "drawn inputs (or, where it is there and this course's seed alone draws nothing "
        "of it, choose another seed)"
    ]


CHANGES_ITS_INPUT = '''\
def changes_its_input(x):
    """Your function changes the array that it was given. Make a new one."""
    x *= 2
    return x


'''


def test_a_yes_beside_a_drawn_number_catches_no_mistake(course):
    sent = "(stays, drawn.sum())"
    yes = f"""\
drawn = rng.normal(size=3)
given = np.ones(3)
double(given)
stays = bool(given[0] == 1)
check("the array stays", {sent})
"""
    replace(course, "rng = check.rng()\n", f"rng = check.rng()\n{yes}")
    replace(course, "def adds_two(x):", f"{CHANGES_ITS_INPUT}def adds_two(x):")
    with pytest.raises(LabError, match="'the array stays' catches the mistake changes"):
        release(course)
    replace(course, sent, "drawn.sum() if stays else 'it changes'")
    release(course)


def test_a_mistake_leaves_the_files_of_the_solution_alone(course, tmp_path):
    written = 'open("kept.txt", "w").write("1")\nopen("gone.txt", "w").write("2")'
    replace(course, '# %% check="double"', f'# %%\n{written}\n\n\n# %% check="double"')
    spoils = """\
    import os

    open("kept.txt", "w").write("spoilt")
    open("new.txt", "w").write("spoilt")
    if os.path.exists("gone.txt"):
        os.remove("gone.txt")
    return np.asarray(x) + 2"""
    replace(course, "    return np.asarray(x) + 2", spoils)
    replace(
        course,
        '# %% check="plain"',
        """\
# %%
import os

read = {name: open(name).read() for name in sorted(os.listdir())}
assert read == {"gone.txt": "2", "kept.txt": "1"}, read
open("kept.txt", "a").write("3")


# %% check="plain\"""",
    )
    path = course.lab(LAB)
    run = reference_solution_run(path, tmp_path / "run", course.build, "a seed")
    names = ["91_tiny.ipynb", "gone.txt", "kept.txt"]
    assert [file.name for file in run.files] == names
    assert (tmp_path / "run" / "kept.txt").read_text() == "13"
    assert (tmp_path / "run" / "gone.txt").read_text() == "2"
    assert run.failed == []


def test_a_lab_that_failed_and_was_put_back_still_has_its_solution(course, tmp_path):
    path = course.lab(LAB)
    text = path.read_text()
    lab_references(path, course.build, "a seed")
    replace(course, "return 2 * np.asarray(x)", "return 2 / 0")
    with pytest.raises(LabError):
        lab_references(path, course.build, "a seed")
    path.write_text(text)
    run = reference_solution_run(path, tmp_path / "run", course.build, "a seed")
    assert run.failed == [] and run.files


def test_references_of_another_version_are_made_anew(released_course):
    course = released_course
    lab_path = course.solutions / LAB / f"{LAB}.py"
    path = references_path(lab_path, course.build)
    made = References.load(path)
    older = path.read_text().replace('"hidden_inputs"', '"drawn"')
    for text in (older, "[]", "{"):
        path.write_text(text)
        again = lab_references(lab_path, course.build, course.seed)
        assert again.same_as(made)
        assert References.load(path) == again


def test_the_times_of_the_cells_are_told(course, run_command):
    done = run_command("labkit", "release", "--times", folder=course.root)
    assert "def double(x):" in done.stdout
    assert " s  A tiny lab" in done.stdout


def test_a_lab_with_a_wrong_header_hides_no_other_fault(course):
    replace(course, "return np.asarray(x) + 2", "return np.asarray(x) * 2")
    other = course.lab("93_other")
    other.parent.mkdir()
    other.write_text('# %% manual="averages" points=2\n# All of them.\n')
    with pytest.raises(LabError) as caught:
        release(course)
    text = str(caught.value)
    assert (
        f"{other}:1: manual='averages' is a code cell; expected # %% [markdown]" in text
    )
    assert f"{course.lab(LAB)}:44: check-double does not catch the mistake adds" in text
    assert not course.notebooks.exists()


def test_a_lab_that_is_being_written_does_not_stop_the_release_of_another(course):
    other = course.lab("93_other")
    other.parent.mkdir()
    other.write_text("# %% solution=\n")
    release(course, [LAB])
    assert (course.notebooks / LAB / f"{LAB}.ipynb").is_file()


EXERCISE = '''\

# %% solution="thrice"
def thrice(x):
    """Three times x."""
    ### BEGIN SOLUTION
    return 3 * x
    ### END SOLUTION


# %% check="thrice" points=1
check("thrice two", thrice(2))
### BEGIN HIDDEN TESTS
check("thrice drawn", thrice(check.rng().normal(size=3)))
### END HIDDEN TESTS


# %% mistakes="thrice"
def adds_three(x):
    """You added 3."""
    return x + 3
'''


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("check.rng()", "np.random.default_rng(1)", ":10: thrice has no drawn check"),
        (
            EXERCISE[EXERCISE.index("# %% mistakes") :],
            "",
            ":2: thrice has no # %% mist",
        ),
        (
            '''\
def thrice(x):
    """Three times x."""
    ### BEGIN SOLUTION
''',
            '''\
### BEGIN SOLUTION
def thrice(x):
    """Three times x."""
''',
            ":4: the signature of thrice stands inside its solution",
        ),
        (
            '    """Three times x."""\n    ### BEGIN SOLUTION\n',
            '    ### BEGIN SOLUTION\n    """Three times x."""\n',
            ":3: the docstring of thrice stands inside",
        ),
        ('    """Three times x."""\n', "", ":3: thrice has no docstring"),
        ("def thrice", "def triple", ":2: thrice is neither defined nor assigned"),
        (
            EXERCISE[EXERCISE.index("# %% check") :],
            "",
            ':2: thrice has no # %% check="thrice"',
        ),
    ],
)
def test_what_the_guide_asks_of_an_exercise(course, old, new, words):
    from labkit.authoring.guide import exercise_faults

    path = course.lab(LAB)
    above = path.read_text()
    path.write_text(above + EXERCISE)
    assert exercise_faults(read_lab(path)) == []
    assert old in EXERCISE
    path.write_text(above + EXERCISE.replace(old, new))
    found = [
        f":{line - above.count(chr(10))}: {text}"
        for line, text in exercise_faults(read_lab(path))
    ]
    assert [one for one in found if one.startswith(words)], found


@pytest.mark.parametrize(
    ("opens", "words"),
    [
        ("def twice(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n", []),
        (
            "### BEGIN SOLUTION\ndef twice(x):\n    return 2 * x\n",
            [
                "the signature of thrice stands inside its solution, so no student sees it"
            ],
        ),
    ],
)
def test_an_exercise_of_several_functions(course, opens, words):
    """In the second, thrice itself is cut out: the solution of twice has no end before it."""
    from labkit.authoring.guide import exercise_faults

    ends = "    ### END SOLUTION\n\n\n"
    text = EXERCISE.replace("def thrice", opens + ends + "def thrice", 1)
    if words:
        text = text.replace(ends, "", 1).replace("    ### BEGIN SOLUTION\n", "", 1)
    path = course.lab(LAB)
    path.write_text(path.read_text() + text)
    assert [one for _, one in exercise_faults(read_lab(path))] == words


def test_each_function_of_an_exercise_has_its_checks_and_mistakes(course):
    twice = """\
def twice(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


"""
    check = """

# %% check="twice" points=1
check("twice two", twice(2))
### BEGIN HIDDEN TESTS
check("twice a negative number", twice(-3))
check("twice drawn", twice(check.rng().random(size=3)))
### END HIDDEN TESTS


# %% mistakes="twice"
def never_below_zero(x):
    \"\"\"You cut off at zero.\"\"\"
    return np.maximum(2 * x, 0)
"""
    path = course.lab(LAB)
    above = path.read_text()
    text = EXERCISE.replace("def thrice", twice + "def thrice", 1) + check
    path.write_text(above + text)
    with pytest.raises(
        LabError, match="no drawn check catches the mistake never_below"
    ):
        release(course)
    path.write_text(above + text.replace(".random(size=3)", ".normal(size=9)"))
    release(course)


def test_an_exercise_without_a_mistake_stops_the_release(course):
    path = course.lab(LAB)
    text = path.read_text()
    begin = text.index('# %% mistakes="noisy"')
    path.write_text(text[:begin] + text[text.index('# %% check="plain"') :])
    with pytest.raises(LabError, match=r":\d+: noisy has no # %% mistakes="):
        release(course)


def test_a_check_that_is_not_repeatable_is_called_so(course):
    replace(
        course,
        'check("half of ten", half_of_ten)',
        'check("half of ten", half_of_ten)\ncheck("by chance", np.random.default_rng().random())',
    )
    with pytest.raises(LabError) as caught:
        release(course)
    assert "'by chance' is not repeatable: it gives another value" in str(caught.value)
    assert 'tags=["needed"]' not in str(caught.value)


def test_a_removed_labs_folder_goes_with_the_next_release(released_course):
    other = released_course.notebooks / "93_other"
    other.mkdir()
    (other / "expected.json").write_text("{}")
    mine = released_course.notebooks / "pictures"
    mine.mkdir()
    (mine / "a.txt").write_text("not of a release")
    changed = {done.lab: done.changed for done in release(released_course, check=True)}
    assert changed["93_other"] == ["removed: solutions/ has no such lab"]
    assert other.is_dir()
    release(released_course, [LAB])
    assert other.is_dir()
    release(released_course)
    assert not other.exists() and mine.is_dir()


def test_badges_lead_to_the_course_s_repository_where_it_has_one(released_course):
    (path,) = released_course.notebooks.glob("*/*.ipynb")
    assert "badge" not in path.read_text()
    released_course.settings_file.write_text('repository = "someone/a-course"\n')
    (released_course.lab(LAB).parent / "picture of it.svg").write_text("<svg/>")
    release(released_course)
    first = nbformat.read(path, as_version=4).cells[0].source
    place = f"someone/a-course/blob/main/notebooks/91_tiny/{path.name}"
    assert f"(https://colab.research.google.com/github/{place})" in first
    assert f"src=https://github.com/{place})" in first
    assert f"gh/someone/a-course/main?labpath=notebooks/91_tiny/{path.name})" in first
    # Not from the course's repository, which holds no package.
    assert '\n%pip install "cnn-labkit[networks]"\n' in first
    raw = "https://raw.githubusercontent.com/someone/a-course/main/notebooks/91_tiny"
    for name in ("expected.json", "picture of it.svg"):
        assert f'-o "{name}" "{raw}/{name.replace(" ", "%20")}"\n' in first

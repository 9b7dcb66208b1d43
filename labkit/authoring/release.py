"""Release a lab: from its solution to what a student gets, through the gate."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from labkit.authoring.badges import add_badges, course_home
from labkit.authoring.gate import (
    CellTime,
    drawn_faults,
    file_faults,
    grading_faults,
)
from labkit.authoring.guide import exercise_faults
from labkit.checks.earned_points import KERNEL_FOLDER, START_PAGE
from labkit.checks.protocol import EXPECTED
from labkit.checks.references import References
from labkit.course import Course
from labkit.errors import LabkitError
from labkit.files import write_bytes
from labkit.grading import engine
from labkit.grading.progress import Progress
from labkit.grading.submissions import Submission
from labkit.labs.cells import mistake_functions
from labkit.labs.lab import Lab, LabError, find_labs, read_lab
from labkit.labs.reference_run import lab_references, prepare_references
from labkit.labs.translation import (
    Translation,
    languages,
    read_translation,
    texts,
    translate_release,
)
from labkit.learning.start_page import start_page


@dataclass
class Released:
    """What the release of one lab did: the files that changed and what its run took."""

    lab: str
    changed: list[str] = field(default_factory=list)
    checks: int = 0
    mistakes: int = 0
    times: list[CellTime] = field(default_factory=list)
    english: int = 0  # how many texts are not translated into the language asked for

    @property
    def seconds(self) -> float:
        """How long the cells of the solution took at grading."""
        return sum(cell.seconds for cell in self.times)


def release(
    course: Course,
    names: list[str] | None = None,
    *,
    check: bool = False,
    language: str | None = None,
    announce: Callable[[str], None] = lambda _: None,
) -> list[Released]:
    """Write notebooks/<lab>/ for each lab; with `check`, write nothing and only compare.

    With a `language` the prose is in it, as far as it is translated.

    Raises LabError with everything that is wrong with the labs, and writes none of them.
    """
    course.create_seed()
    paths = find_labs(course.solutions, names)
    if language:
        _require_language(paths, language)
    with scratch_course(course) as scratch:
        outcome, faults = make_labs(scratch, paths, language, announce)
        if faults:
            raise LabError("\n".join(faults))
        for done in outcome:
            done.changed = _install(
                scratch.notebooks / done.lab, course.notebooks / done.lab, dry=check
            )
        if not names:
            outcome += _remove_others(course, dry=check)
    outcome += _update_pages(course, dry=check)
    return outcome + _update_start_page(course, language, dry=check)


@contextlib.contextmanager
def scratch_course(course: Course) -> Iterator[Course]:
    """The course with released labs, submissions and a gradebook elsewhere, gone at the end.

    What is tried there enters nothing into the course's own.
    """
    with tempfile.TemporaryDirectory(prefix="labkit-release-") as folder:
        root = Path(folder)
        scratch = Course(root, course.solutions, root / "notebooks", course.build)
        _copy_pages(course, scratch.notebooks)  # for the labs' links
        yield scratch


def pages_beside_labs(course: Course) -> list[Path]:
    """The pages that lie beside the labs' folders and are handed out with them."""
    found = sorted(course.solutions.glob("*.md"))
    return [path for path in found if path.name not in ("README.md", START_PAGE)]


def _copy_pages(course: Course, folder: Path) -> None:
    for page in pages_beside_labs(course):
        write_bytes(folder / page.name, page.read_bytes())


def _update_pages(course: Course, dry: bool) -> list[Released]:
    """Write the pages that are others than those of solutions/; tell which."""
    changed = [
        page
        for page in pages_beside_labs(course)
        if not _same(page, course.notebooks / page.name)
    ]
    if changed and not dry:
        _copy_pages(course, course.notebooks)
    return [Released("pages", [page.name for page in changed])] if changed else []


def _remove_others(course: Course, dry: bool) -> list[Released]:
    """Take away what was released of labs that have no text any more."""
    removed = []
    for expected in sorted(course.notebooks.glob(f"*/{EXPECTED}")):
        folder = expected.parent
        if (course.solutions / folder.name).exists():
            continue
        removed.append(Released(folder.name, ["removed: solutions/ has no such lab"]))
        if not dry:
            shutil.rmtree(folder)
    return removed


def _update_start_page(
    course: Course, language: str | None, dry: bool
) -> list[Released]:
    """Write the start page where it is not what the labs' headers give.

    It names all labs; where one of the others is being written it stays as it is.
    """
    try:
        labs = [read_lab(path) for path in find_labs(course.solutions)]
        page = start_page([_in_language(lab, language) for lab in labs])
    except LabError:
        return []
    target = course.notebooks / START_PAGE
    if target.is_file() and target.read_text("utf-8") == page:
        return []
    if not dry:
        write_bytes(target, page.encode())
    return [Released("start page", [START_PAGE])]


def _require_language(paths: list[Path], language: str) -> None:
    """Raise LabError where none of the labs is translated into a language."""
    translated = {path: languages(path) for path in paths}
    if not any(language in found for found in translated.values()):
        known = sorted(set().union(*translated.values()))
        raise LabError(
            f"None of these labs is translated into {language!r}; there is"
            f" {', '.join(known) or 'no translation'}. Type: labkit translate"
            f" {paths[0].stem} --lang {language}"
        )


def _in_language(lab: Lab, language: str | None) -> Lab:
    """A lab with its title and summary in a language, where it is translated."""
    translation = read_translation(lab, language) if language else None
    if translation is None:
        return lab
    told = {name: translation(lab.script.header[name]) for name in ("title", "summary")}
    return replace(lab, script=replace(lab.script, header=lab.script.header | told))


def make_labs(
    course: Course,
    paths: list[Path],
    language: str | None = None,
    announce: Callable[[str], None] = lambda _: None,
) -> tuple[list[Released], list[str]]:
    """Make the release folders of labs in a scratch course, and pass them through the gate.

    What takes long goes on side by side: the reference runs, and the gate's gradings.
    Returns what was made, and everything that is wrong with the labs.
    """
    faults: list[str] = []
    labs = []
    for path in paths:
        with _noted(path, faults):
            labs.append(read_lab(path))
            faults += [one.at(path) for one in exercise_faults(labs[-1])]
    sound = [lab.path for lab in labs]
    unready = prepare_references(sound, course.build, course.seed, announce)
    made = {}
    for lab in labs:
        with _noted(lab.path, faults):
            if lab.path in unready:
                raise unready[lab.path]
            made[lab.name] = _make(course, lab, language, announce, faults)
    graded = [lab for lab in labs if lab.name in made]
    if graded:
        progress = _GateProgress(announce)
        for lab_name, (wrong, times) in grading_faults(
            course, graded, progress
        ).items():
            faults += [f"{course.lab(lab_name)}: {fault}" for fault in wrong]
            made[lab_name].times = times
    return list(made.values()), faults


class _GateProgress(Progress):
    """Tells of the gate's gradings."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce

    def running(self, submission: Submission) -> None:
        """A submission begins to run."""
        form = submission.student.removeprefix("the_").replace("_", " ")
        self._announce(f"{submission.lab}: the real grader on the {form}")


@contextlib.contextmanager
def _noted(path: Path, faults: list[str]) -> Iterator[None]:
    """Add what is wrong with a lab to the faults, and go on with the next one."""
    try:
        yield
    except LabError as error:
        faults += str(error).splitlines()
    except LabkitError as error:
        faults.append(f"{path}: {error}")


def _make(
    course: Course,
    lab: Lab,
    language: str | None,
    announce: Callable[[str], None],
    faults: list[str],
) -> Released:
    """Make one lab's release folder with nbgrader's own converter; note its faults."""
    announce(f"{lab.name}: release")
    with engine.fast_nbgrader():
        engine.register(course, [lab.path], announce)
    folder = course.notebooks / lab.name
    shutil.copytree(engine.registered_release(course, lab.name), folder)
    translation = read_translation(lab, language) if language else None
    if translation:
        translate_release(folder, translation)
    if home := course_home(course):
        add_badges(course.released(lab.name), home)
    references = lab_references(lab.path, course.build, course.seed)
    others = {other.stem for other in find_labs(course.solutions)}
    found = file_faults(lab, folder, references, others)
    found += translation.faults() if translation else []
    faults += [f"{lab.path}: {fault}" for fault in found]
    faults += [one.at(lab.path) for one in drawn_faults(lab, references)]
    checks = len(list(references.checks()))
    english = _count_english(lab, translation) if language else 0
    return Released(lab.name, [], checks, _count_mistakes(lab), english=english)


def _count_english(lab: Lab, translation: Translation | None) -> int:
    return len(translation.missing() if translation else texts(lab))


def _count_mistakes(lab: Lab) -> int:
    return sum(len(mistake_functions(cell)) for cell in lab.cells("mistakes"))


def _install(made: Path, target: Path, dry: bool) -> list[str]:
    """Bring a release folder up to date; returns the files that differ(ed)."""
    changed = []
    for path in sorted(p for p in made.rglob("*") if p.is_file()):
        place = target / path.relative_to(made)
        if _same(path, place):
            continue
        changed.append(str(path.relative_to(made)))
        if not dry:
            write_bytes(place, path.read_bytes())
    for path in (
        sorted(p for p in target.rglob("*") if p.is_file()) if target.is_dir() else []
    ):
        if (
            not {".ipynb_checkpoints", KERNEL_FOLDER} & set(path.parts)
            and not (made / path.relative_to(target)).exists()
        ):
            changed.append(f"{path.relative_to(target)} (not of the lab)")
            if not dry:
                path.unlink()
    return changed


def _same(made: Path, released: Path) -> bool:
    """Same bytes; for expected values, the same within each check's tolerance, since
    the last digits of a sum differ between machines."""
    if not released.is_file():
        return False
    if made.name == EXPECTED:
        try:
            return References.load(made).same_as(References.load(released))
        except LabkitError:
            return False
    return made.read_bytes() == released.read_bytes()

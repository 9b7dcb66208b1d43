"""The files that set up an environment agree with each other."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

import labkit
from labkit.authoring.badges import Home, badges, course_home
from labkit.authoring.new import _IGNORED
from labkit.course import Course
from labkit.errors import LabkitError, extras, libraries
from labkit.labs.lab import find_labs
from labkit.sandbox.confinement import DOCKER_FLAGS
from tests.conftest import BIN, ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


# Each lock, with the extras that it holds.
LOCKS = {"requirements.lock": ("dev",), "requirements-student.lock": ("train", "build")}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(extra: str) -> set[str]:
    """What an extra asks for, with what the extras that it names ask for."""
    found = set()
    for one in project()["optional-dependencies"][extra]:
        own = re.fullmatch(rf"{project()['name']}\[(.*)\]", one)
        names = own[1].split(",") if own else ()
        found |= set().union(*map(requirements, names)) if names else {one}
    return found


def pins(lock: str) -> dict[str, set[str]]:
    """The versions of each package in a lock, one for each kind of machine and Python."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / lock).read_text().splitlines():
        if "==" in line and not line.startswith(" "):
            name, _, rest = line.partition("==")
            found.setdefault(name, set()).add(rest.split()[0])
    return found


def canonical(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def test_environment_yml_asks_for_what_pyproject_asks_for():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())[
        "dependencies"
    ]
    asked = next(d["pip"] for d in dependencies if isinstance(d, dict))
    assert asked == ["--editable .[dev]"]
    assert f"python{project()['requires-python']}" in dependencies


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_pins_and_hashes_everything_and_names_no_address(lock):
    text = (ROOT / lock).read_text()
    assert "://" not in text
    entries = re.findall(
        r"^([a-z0-9][\w.-]*)==[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}[ \\]*\n?)+)",
        text,
        re.M,
    )
    named = [
        line.split("==")[0]
        for line in text.splitlines()
        if line and not line.startswith(" ")
    ]
    assert len(named) > 100
    assert [name for name, _ in entries] == named


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_holds_every_requirement(lock):
    asked = {*project()["dependencies"]}.union(*map(requirements, LOCKS[lock]))
    assert {canonical(one) for one in asked} - pins(lock).keys() == set()


def test_a_student_gets_the_versions_that_are_tested_and_none_of_the_tools():
    student, tested = pins("requirements-student.lock"), pins("requirements.lock")
    assert {name for name in student if student[name] != tested.get(name)} == set()
    tools = {canonical(one) for one in requirements("grade") | requirements("dev")}
    needed = {canonical(one) for one in requirements("train") | requirements("build")}
    by_jupyter = {
        "alembic",
        "babel",
        "sqlalchemy",
        "markdown-it-py",
        "pyyaml",
    }  # and optuna
    assert (tools - needed - by_jupyter) & student.keys() == set()


def test_every_library_of_an_extra_is_told_with_that_extra():
    """labkit/errors.py says what to type for a library; it must bring that library."""
    known = {"markdown_it": "markdown-it-py", "yaml": "pyyaml"}
    for extra in extras():
        brought = {re.sub(r"[^\w-].*", "", one).lower() for one in requirements(extra)}
        brought |= {name.removesuffix("-cpu") for name in brought}
        asked = {known.get(name, name) for name in libraries(extra)}
        assert asked - brought == set(), extra


def test_the_gpu_extra_takes_tensorflow_with_cuda():
    assert any(
        "tensorflow[and-cuda]" in one
        for one in project()["optional-dependencies"]["gpu"]
    )


def test_the_code_is_clean():
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run([*ruff, "check", "."], cwd=ROOT, check=True)
    subprocess.run(
        [*ruff, "format", "--check", "labkit", "tests", "solutions", "benchmarks"],
        cwd=ROOT,
        check=True,
    )


def test_the_package_names_no_lab():
    """Any labs make a course; an example in a help text is a number alone."""
    labs = "|".join(path.stem for path in find_labs(ROOT / "solutions"))
    texts = {
        path.relative_to(ROOT): path.read_text("utf-8")
        for path in (ROOT / "labkit").rglob("*")
        if path.suffix in (".py", ".html", ".md", ".json")
    }
    found = [
        (str(path), said)
        for path, text in texts.items()
        for said in re.findall(rf"{labs}|\b[Ll]ab \d+", text)
    ]
    assert found == []


def test_imports_run_downwards():
    """The layers of pyproject.toml: no import upwards, and so no circle."""
    done = subprocess.run(
        [BIN / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_few_modules_lie_outside_of_a_room():
    loose = [p.stem for p in (ROOT / "labkit").glob("*.py") if p.stem[:2] != "__"]
    assert len(loose) <= 7, sorted(loose)


def test_types_agree():
    subprocess.run([BIN / "mypy", "--cache-dir", os.devnull], cwd=ROOT, check=True)


def test_the_version_stands_everywhere_where_one_command_raises_it():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    version = settings["bumpversion"]["current_version"]
    assert version == labkit.__version__
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    for file in settings["bumpversion"]["files"]:
        searched = file.get("search", version).format(current_version=version)
        assert (ROOT / file["filename"]).read_text().count(searched) == 1
    raised = {file["filename"] for file in settings["bumpversion"]["files"]}
    name = re.compile(rf"(?<![\d.]){re.escape(version)}(?![\d.])")
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        if name.search(page.read_text()) and page.name != "CHANGELOG.md":
            assert str(page.relative_to(ROOT)) in raised


def test_the_version_can_be_raised():
    if shutil.which("bump-my-version", path=BIN) is None:
        pytest.skip("bump-my-version is not installed")
    words = ["bump", "minor", "--dry-run", "--allow-dirty", "-v"]
    done = subprocess.run(
        [BIN / "bump-my-version", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "cnn_labkit-0.2.0-py3-none-any.whl" in done.stdout + done.stderr


def patterns(file: str) -> list[str]:
    lines = (ROOT / file).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_no_image_holds_what_no_repository_holds():
    """Rosters, grades and true classes; a name without a slash holds in every folder."""
    private = [one.removesuffix("/") for one in patterns(".gitignore")]
    private = [one if "/" in one else f"**/{one}" for one in private]
    assert len(private) > 20
    assert [one for one in private if one not in patterns(".dockerignore")] == []


def test_a_new_course_keeps_the_same_out_of_its_repository():
    new = {line for line in _IGNORED.splitlines() if not line.startswith("#")}
    tools = r"\.venv.*|.*(cache|egg-info)_*/|\*\.pyc|!?datasets/.*"
    here = {one for one in patterns(".gitignore") if not re.fullmatch(tools, one)}
    assert new == here


def copy_of_the_project(folder):
    for name in (
        *("pyproject.toml", "CITATION.cff", "LICENSE", "docs/package.md"),
        *("labkit/__init__.py", ".ci/address.py"),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)


def given_address(folder, name: str):
    words = [sys.executable, ".ci/address.py", name]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True)


def test_one_command_gives_the_project_its_address_wherever_it_stands(tmp_path):
    copy_of_the_project(tmp_path)
    for name in ("someone/else", "someone/cnn.kit"):  # and gives another one
        assert given_address(tmp_path, name).returncode == 0
    address = "https://github.com/someone/cnn.kit"
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    assert project.pop("urls") == {"Repository": address}
    citation = yaml.safe_load((tmp_path / "CITATION.cff").read_text())
    assert citation.pop("repository-code") == address
    former, cited = project_and_citation()
    assert (project, citation) == (former, cited)
    words = [sys.executable, "-m", "hatchling", "metadata"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert json.loads(done.stdout)["urls"] == {"Repository": address}

    home = course_home(Course.at(tmp_path))
    assert home == Home("someone/cnn.kit", "main", kit=True)
    said = badges(home, "notebooks/01_neuron/01_neuron.ipynb", ["neuron.svg"])
    install = '"cnn-labkit[networks] @ git+https://github.com/someone/cnn.kit@main"'
    assert f"\n%pip install {install}\n" in said
    assert said.count("/01_neuron/01_neuron.ipynb)") == 3
    assert "/someone/cnn.kit/main/notebooks/01_neuron/neuron.svg" in said


def project_and_citation() -> tuple[dict, dict]:
    """Without the address, which has to be the same in both."""
    described = project()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    addresses = described.pop("urls", {}).get("Repository")
    assert addresses == citation.pop("repository-code", None)
    return described, citation


def test_an_address_is_an_owner_and_a_name(tmp_path):
    copy_of_the_project(tmp_path)
    before = (tmp_path / "pyproject.toml").read_text()
    done = given_address(tmp_path, "https://github.com/someone/kit")
    assert done.returncode == 1 and "owner/name" in done.stderr
    assert (tmp_path / "pyproject.toml").read_text() == before


def test_course_toml_leads_the_badges_elsewhere_than_pyproject_toml(tmp_path):
    assert course_home(Course.at(tmp_path)) is None
    settings, described = tmp_path / "course.toml", tmp_path / "pyproject.toml"
    described.write_text(
        '[project]\nname = "mine"\n[project.urls]\n'
        'Repository = "https://github.com/someone/mine.git"\n'
    )
    assert course_home(Course.at(tmp_path)) == Home("someone/mine", "main")
    settings.write_text('repository = "else/where"\nbranch = "autumn"\n')
    assert course_home(Course.at(tmp_path)) == Home("else/where", "autumn")
    described.write_text("[project")
    with pytest.raises(LabkitError, match=r"pyproject.toml: not TOML"):
        course_home(Course.at(tmp_path))


def test_workflows_and_forms_parse_and_name_files_that_exist():
    texts = {path: path.read_text() for path in (ROOT / ".github").rglob("*.yml")}
    assert len(texts) == 5
    for path, text in texts.items():
        assert isinstance(yaml.safe_load(text), dict), path
        for name in re.findall(r"\b(?:tests|\.ci|\.github)/[\w./-]+", text):
            assert (ROOT / name).exists(), name
    tried = yaml.safe_load(texts[ROOT / ".github" / "workflows" / "test.yml"])
    pythons = tried["jobs"]["all"]["strategy"]["matrix"]["python"]
    claimed = re.findall(r"Python :: (3\.\d+)", "\n".join(project()["classifiers"]))
    assert pythons == claimed


def test_the_container_copies_what_is_there_and_is_not_root():
    text = (ROOT / "Dockerfile").read_text()
    copied = [
        line.split()[2:-1] for line in text.splitlines() if line.startswith("COPY")
    ]
    names = [name for line in copied for name in line]
    assert len(names) > 5 and all((ROOT / name).exists() for name in names)
    assert re.search(r"^USER (?!root|0)", text, re.M)
    settings = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert settings["remoteUser"] == "student"
    # The image's copy is installed: the working copy takes its place. Its files are newer
    # than the environment, which make would install a second time.
    home = re.search(r"^WORKDIR (.*)", text, re.M)[1]
    assert settings["containerEnv"]["VENV"] == f"{home}/.venv"
    (editable,) = re.findall(
        r"\$\(BIN\)/python -m pip install.*(--no-deps .*--editable \.)",
        (ROOT / "Makefile").read_text(),
    )
    install = f"$VENV/bin/python -m pip install {editable}"
    ready = "touch $VENV/.student $VENV/.ready"
    assert settings["postCreateCommand"] == f"{install} && {ready}"
    told = (ROOT / "docs" / "containers.md").read_text()
    assert settings["runArgs"] == [f"--security-opt={flag}" for flag in DOCKER_FLAGS]
    for flag in settings["runArgs"]:
        assert flag.replace("=", " ", 1) in told

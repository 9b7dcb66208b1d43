"""The files that set up an environment agree with each other."""

import re
import subprocess
import sys

import yaml

from labkit.labs.lab import find_labs
from tests.conftest import BIN, ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_yml_asks_for_what_pyproject_asks_for():
    project_file = project()
    extras = project_file["optional-dependencies"]
    wanted = {
        *project_file["dependencies"],
        *extras["cpu"],
        *extras["dev"],
        "--editable .",
    }
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())[
        "dependencies"
    ]
    assert set(next(d["pip"] for d in dependencies if isinstance(d, dict))) == wanted
    assert f"python{project_file['requires-python']}" in dependencies


def test_the_lock_pins_and_hashes_everything_and_names_no_address():
    text = (ROOT / "requirements.lock").read_text()
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


def test_the_lock_holds_every_requirement():
    locked = {
        line.split("==")[0]
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if "==" in line
    }
    extras = project()["optional-dependencies"]
    for requirement in [*project()["dependencies"], *extras["cpu"], *extras["dev"]]:
        name = re.match(r"[\w.-]+", requirement)[0].lower()
        assert name in locked, name


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


def test_types_agree(tmp_path):
    subprocess.run([BIN / "mypy", "--cache-dir", tmp_path], cwd=ROOT, check=True)

"""What a lab brings along beside its text: pictures, tables."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labkit.files import write_bytes
from labkit.labs.lab import staff_files


def companions(lab_path: Path) -> list[Path]:
    """The files that are handed out with a lab, by their places in its folder."""
    folder = lab_path.parent
    staff = set(staff_files(folder.parent))
    return sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file()
        and path.name not in staff
        and path.suffix not in (".ipynb", ".pyc")
        and ".ipynb_checkpoints" not in path.parts
    )


def copy_companions(lab_path: Path, folder: Path) -> list[Path]:
    """Put what a lab brings along into the folder in which it runs; returns which files."""
    found = companions(lab_path)
    for place in found:
        write_bytes(folder / place, (lab_path.parent / place).read_bytes())
    return found


@contextlib.contextmanager
def scratch_folder(lab_path: Path) -> Iterator[Path]:
    """A folder to run a lab in, with what it brings along; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="labkit-run-") as folder:
        copy_companions(lab_path, Path(folder))
        yield Path(folder)

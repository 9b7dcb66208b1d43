"""The files of a solution, while wrong answers run in its place."""

from pathlib import Path

from nbformat import NotebookNode

from labkit.files import own_files, write_bytes


class SolutionFiles:
    """Files that a solution writes, put back after each wrong answer that may have changed them.

    `folder` is where the notebook runs, `own` which of its cells are the solution's.
    """

    def __init__(self, folder: Path, own: set[int]) -> None:
        self._folder = folder
        self._own = own
        self._trying = False
        self._saved: dict[Path, bytes] = {}
        self._times: dict[Path, int] = {}  # of the files as they were saved or put back

    def before_cell(self, cell: NotebookNode, cell_index: int) -> None:
        """To be called before each cell: nbclient's `on_cell_execute`."""
        trying = cell_index not in self._own
        if trying and not self._trying:
            self._save()
        elif self._trying and not trying:
            self._put_back()
        self._trying = trying

    def end(self) -> None:
        """The last cell has run."""
        if self._trying:
            self._put_back()
        else:
            self._save()

    def write(self, folder: Path) -> None:
        """Write the solution's files into another folder."""
        for path, content in self._saved.items():
            write_bytes(folder / path.relative_to(self._folder), content)

    def _changed(self) -> dict[Path, int]:
        """The files that are new or have changed since they were saved, with their times."""
        found = {path: path.stat().st_mtime_ns for path in own_files(self._folder)}
        return {path: t for path, t in found.items() if self._times.get(path) != t}

    def _gone(self) -> list[Path]:
        return [path for path in self._saved if not path.is_file()]

    def _save(self) -> None:
        for path in self._gone():
            del self._saved[path], self._times[path]
        for path, changed in self._changed().items():
            self._saved[path] = path.read_bytes()
            self._times[path] = changed

    def _put_back(self) -> None:
        for path in [*self._changed(), *self._gone()]:
            if path not in self._saved:
                path.unlink()
                continue
            write_bytes(path, self._saved[path])
            self._times[path] = path.stat().st_mtime_ns

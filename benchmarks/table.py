"""What lab 08's table of pictures takes: memory and seconds to write and to read it in blocks.

    python benchmarks/table.py ~/data/cats_dogs/train.zip --rows 25000

Makes the rows from copies of the given pictures, with the lab's own solution, each part in
a process of its own. The memory is that process's peak above the peak of a Python that does
nothing. Needs Linux, whose /proc tells the peak of one process alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from labkit.labs.lab import find_labs, read_lab

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"
LIMIT = 150
PEAK = "int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1e3"
# The lab's functions, and what each part does with them.
START = """\
import sys, time
from pathlib import Path
import numpy as np
{functions}
table, rows, pictures = sys.argv[1], int(sys.argv[2]), np.load(sys.argv[3])
labels = np.arange(len(pictures)) % 2
begun = time.process_time()
"""
WRITE = """\
write_table(
    table,
    (to_row(pictures[n % len(pictures)], labels[n % len(labels)]) for n in range(rows)),
)
"""
READ = """\
assert sum(len(from_rows(block)[0]) for block in read_table(table, 500)) == rows
"""
END = f"print({PEAK}, time.process_time() - begun)"


def main(
    pictures: Annotated[Path, typer.Argument(help="A folder or a zip of pictures.")],
    rows: Annotated[int, typer.Option(help="Rows of the table.")] = 25_000,
) -> None:
    """Print the memory and the CPU seconds of both directions."""
    functions = _solutions("from_rows", "read_table")
    with tempfile.TemporaryDirectory() as place:
        small, table = Path(place, "pictures.npy"), Path(place, "table.csv")
        _save(pictures, small)
        (bare,) = _numbers(f"print({PEAK})")
        print(f"a Python that does nothing: {bare:.0f} MB")
        for what, work in (("writing", WRITE), ("reading", READ)):
            script = START.format(functions=functions) + work + END
            peak, cpu = _numbers(script, str(table), str(rows), str(small))
            verdict = "below" if peak - bare < LIMIT else "ABOVE"
            print(
                f"{what} {rows:,} rows: {peak - bare:.0f} MB more, {verdict} {LIMIT} MB; "
                f"{cpu:.1f} s CPU"
            )
        print(f"the table: {table.stat().st_size / 1e6:.0f} MB")


def _solutions(*exercises: str) -> str:
    """The functions of lab 08's exercises, as text."""
    (path,) = find_labs(SOLUTIONS, ["08"])
    cells = {
        cell.metadata["solution"]: cell for cell in read_lab(path).cells("solution")
    }
    return "\n\n".join(cells[name].source for name in exercises)


def _save(source: Path, path: Path) -> None:
    """Decode the pictures here, so that it counts for none of the parts."""
    os.environ["LABKIT_OFFLINE"] = "1"
    import numpy as np

    from labkit import data

    np.save(path, data.load_folder(source, 32, training=1).train_images)


def _numbers(script: str, *arguments: str) -> list[float]:
    """What a script prints, run by a new Python."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(number) for number in re.findall(r"[\d.]+", done.stdout)]


if __name__ == "__main__":
    typer.run(main)

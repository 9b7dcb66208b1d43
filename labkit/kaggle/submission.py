"""A submission: the CSV that Kaggle takes, written and checked.

A header and one row for each test picture: `id,character`, or an id and a probability
for each class. Rows are matched by id.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from labkit import files
from labkit.data.readers import read_class_names
from labkit.formatting import counted
from labkit.kaggle import rules
from labkit.kaggle.faults import Fault, Report, SubmissionError
from labkit.kaggle.rules import Form
from labkit.kaggle.table import Table, parse, read_file

NAME_LIST = "character_name.lst"
DECIMALS = 6


def check(
    path: Path | str,
    sample: Path | str | None = None,
    class_names: Sequence[str] | None = None,
) -> Report:
    """Check a submission and report everything that is wrong with it at once.

    Parameters
    ----------
    path : path
        The submission, a CSV file.
    sample : path, optional
        The competition's sampleSubmission.csv, which gives header and ids. Without it the
        form alone is checked.
    class_names : sequence of str, optional
        The classes allowed; by default those in character_name.lst beside the sample.

    Returns
    -------
    report : Report
        Its `faults`, with their lines, and its `notes`, which do no harm.

    Raises
    ------
    LabkitError
        A file cannot be read, or the sample itself has faults.

    Examples
    --------
    >>> from pathlib import Path
    >>> from labkit import kaggle
    >>> size = Path("spoilt.csv").write_text("id,character\\n1,bart\\n2,\\n2,marge\\n")
    >>> kaggle.check("spoilt.csv")
    spoilt.csv: 2 faults in 3 rows
      fault: line 3: empty class
      fault: lines 3, 4: ids more than once: '2'
    """
    path, form = Path(path), form_of(sample, class_names)
    return inspect(path, read_file(path), form)[0]


def write(
    ids: Iterable,
    labels: Iterable,
    path: Path | str,
    sample: Path | str | None = None,
    class_names: Sequence[str] | None = None,
) -> Report:
    """Write a submission, once it is known to be without fault, and return its report.

    The rows keep their order, the header is the sample's. The same answers give the same
    bytes.

    Parameters
    ----------
    ids : iterable (N,)
        Of the test pictures.
    labels : iterable (N,) of str, or array (N, C)
        Class names, or probabilities with columns in the order of `class_names`, by
        default of the sample's columns.
    path : path
        The file to write, in one step.
    sample, class_names : optional
        As in `check`.

    Returns
    -------
    report : Report
        As `check` gives it; without faults.

    Raises
    ------
    SubmissionError
        With every fault; nothing is written then.

    Examples
    --------
    >>> from labkit import kaggle
    >>> kaggle.write([1, 2], ["bart", "marge"], "submission.csv")
    submission.csv: fine, 2 rows
    >>> kaggle.write([1, 2], ["bart"], "submission.csv")
    Traceback (most recent call last):
    ...
    labkit.kaggle.faults.SubmissionError: submission.csv: 1 fault in 2 rows
      fault: 2 ids but 1 label; give one of each
    """
    path, ids, labels = Path(path), list(ids), np.asarray(list(labels))
    if len(ids) != len(labels):
        fault = Fault(
            f"{counted(len(ids), 'id')} but {counted(len(labels), 'label')}; give one of each"
        )
        raise SubmissionError(Report(path, len(ids), (fault,)))
    form = form_of(sample, class_names)
    if labels.ndim == 2:
        form, cells = _probability_cells(form, labels, class_names, path)
    else:
        cells = [[label] for label in labels.tolist()]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(form.header)
    writer.writerows([id_, *row] for id_, row in zip(ids, cells, strict=True))
    content = text.getvalue().encode("utf-8")
    report, _ = inspect(path, content, form)
    if not report.ok:
        raise SubmissionError(report)
    files.write_bytes(path, content)
    return report


def _probability_cells(
    form: Form, labels: np.ndarray, class_names: Sequence[str] | None, path: Path
) -> tuple[Form, list[list[str]]]:
    """Return the form and its cells: columns in the sample's order, six decimals."""
    asked = form.header[1:] if form.probabilities else tuple(class_names or ())
    given = tuple(class_names or asked)
    if labels.shape[1] != len(given) or sorted(given) != sorted(asked):
        text = (
            f"{counted(labels.shape[1], 'column')} of probabilities for {len(asked)} classes; give"
            " one for each class, and class_names in their order"
        )
        raise SubmissionError(Report(path, len(labels), (Fault(text),)))
    columns = [given.index(name) for name in asked]
    cells = [[f"{p:.{DECIMALS}f}" for p in row] for row in labels[:, columns].tolist()]
    header = form.header if form.probabilities else (form.header[0], *asked)
    return Form(header, form.ids, asked), cells


def form_of(
    sample: Path | str | None, class_names: Sequence[str] | None = None
) -> Form:
    """Return what a sample submission asks for; of None, the course's usual header."""
    names = None if class_names is None else tuple(class_names)
    if sample is None:
        return Form(class_names=names)
    table = key_table(sample)
    return Form(table.header, tuple(table.answers), names or class_names_of(sample))


def key_table(path: Path | str) -> Table:
    """Read the sample, or the true classes; such a file must be faultless.

    It may begin with Excel's byte order mark: nobody hands it in.
    """
    path = Path(path)
    table = parse(read_file(path).removeprefix(codecs.BOM_UTF8))
    faults, width = list(table.faults), len(table.header)
    if rules.has_index(table.header):
        faults.append(Fault(rules.INDEX, (1,)))
    if width < 2 or not table.rows:
        faults.append(
            Fault("needs a header of two columns or more and a row a picture", (1,))
        )
    width = max(width, 2)
    faults += rules.row_faults(table.rows, width)
    faults += rules.double_ids([row for row in table.rows if len(row[1]) == width])
    if faults:
        raise SubmissionError(Report(path, len(table.rows), tuple(faults)))
    return table


def class_names_of(sample: Path | str) -> tuple[str, ...] | None:
    """Return the class names that Kaggle ships beside its sample, None where it does not."""
    path = Path(sample).with_name(NAME_LIST)
    return read_class_names(path) if path.is_file() else None


def inspect(path: Path, content: bytes, form: Form) -> tuple[Report, Table]:
    """Check the bytes of a submission against what is asked for."""
    table = parse(content)
    width = len(form.header)
    faults, notes = list(table.faults), list(table.notes)
    faults += rules.header_faults(table.header, form.header)
    faults += rules.row_faults(table.rows, width)
    sound = [(line, row) for line, row in table.rows if len(row) == width]
    faults += rules.double_ids(sound)
    if form.ids is not None:
        faults += rules.id_faults(sound, form.ids)
        notes += rules.order_notes(sound, form.ids)
    if form.probabilities:
        faults += rules.probability_faults(sound)
    elif form.class_names is not None:
        faults += rules.class_faults(sound, form.class_names)
    return Report(path, len(table.rows), tuple(faults), tuple(notes)), table

"""The commands `labkit kaggle ...`: each parses, calls one function, prints."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.terminal import console, examples, labelled
from labkit.errors import LabkitError
from labkit.formatting import counted

app = typer.Typer(
    no_args_is_help=True,
    help="The Kaggle task: split, predict, check, score, submit, rank, report.",
)
SAMPLE = "sampleSubmission.csv"

File = Annotated[Path, typer.Argument(help="The submission.")]
Sample = Annotated[
    Path | None,
    typer.Option(
        help=f"The competition's {SAMPLE}. Default: the one beside the submission."
    ),
]
Public = Annotated[
    float | None,
    typer.Option(
        help="The share of test pictures that is public, as Kaggle splits them. A column"
        " Usage in the truth goes before."
    ),
]


def _sample_of(file: Path, sample: Path | None) -> Path | None:
    beside = file.with_name(SAMPLE)
    return sample or (beside if beside.is_file() else None)


@app.command(
    "check",
    epilog=examples("labkit kaggle check submission.csv --sample sampleSubmission.csv"),
)
def check(file: File, sample: Sample = None) -> None:
    """List everything that is wrong with a submission, with its rows."""
    from labkit import kaggle

    sample = _sample_of(file, sample)
    report = kaggle.check(file, sample)
    console.print(str(report))
    if sample is None:
        console.print(
            f"Only the form was checked. Ids and classes need --sample {SAMPLE}"
        )
    if not report.ok:
        raise typer.Exit(1)


@app.command(
    "split",
    epilog=examples(
        "labkit kaggle split train.zip --test test.zip",
        "labkit kaggle split train/ --share 0.1 --seed 3 --out split.csv",
    ),
)
def split(
    pictures: Annotated[
        Path, typer.Argument(help="Folder or zip with a folder for each class.")
    ],
    test: Annotated[
        Path | None, typer.Option(help="The test pictures: how many are copies?")
    ] = None,
    share: Annotated[float, typer.Option(help="The share to hold out.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Another seed, another split.")] = 0,
    out: Annotated[Path, typer.Option(help="The table.")] = Path("split.csv"),
) -> None:
    """Split pictures for validation, near-duplicates kept on one side.

    The table has a row a picture: its name, its group of near-duplicates, and whether it
    is to train on, held out as new, or held out as a copy of one that is trained on.
    """
    from labkit.kaggle.folders import split_folder

    parts, rows = split_folder(pictures, out, test, share=share, seed=seed)
    console.print(str(parts))
    console.print(f"{counted(rows, 'row')} in {out}")


@app.command(
    "predict",
    epilog=examples(
        "labkit kaggle predict model.keras test.zip --sample sampleSubmission.csv",
    ),
)
def predict(
    model: Annotated[Path, typer.Argument(help="A Keras model, .keras.")],
    pictures: Annotated[Path, typer.Argument(help="Folder or zip of test pictures.")],
    sample: Annotated[Path, typer.Option(help=f"The competition's {SAMPLE}.")],
    out: Annotated[Path, typer.Option(help="The submission to write.")] = Path(
        "submission.csv"
    ),
    most_frequent: Annotated[
        str | None,
        typer.Option(
            help="The class of damaged pictures. Default: the one predicted most often."
        ),
    ] = None,
    probabilities: Annotated[
        bool,
        typer.Option(
            "--probabilities", help="Write a probability for each class, not a name."
        ),
    ] = False,
) -> None:
    """Predict test pictures of any size and write a checked submission.

    The classes are those of character_name.lst beside the sample, in its order.
    """
    from labkit.kaggle.folders import predict_folder

    found, report = predict_folder(
        model, pictures, sample, out, most_frequent, probabilities
    )
    console.print(str(found))
    console.print(str(report))


@app.command(
    "score",
    epilog=examples(
        "labkit kaggle score submission.csv --truth truth.csv",
        "labkit kaggle score submission.csv --truth truth.csv --public 0.3",
    ),
)
def score(
    file: File,
    truth: Annotated[
        Path, typer.Option(help="The true classes, a CSV of the same form.")
    ],
    public: Public = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="The confusion matrix. Default: <FILE>.confusion.png."),
    ] = None,
) -> None:
    """Score a submission against the true classes, and draw its confusion matrix."""
    from labkit import kaggle

    try:
        found = kaggle.score(file, truth, public=public)
    except kaggle.SubmissionError as error:
        console.print(str(error))
        raise typer.Exit(1) from None
    path = figure or file.with_suffix(".confusion.png")
    try:
        found.figure().savefig(path, dpi=144)
    except (OSError, ValueError) as error:
        raise LabkitError(f"{path}: cannot be written ({error}).") from None
    console.print(str(found))
    console.print(f"Confusion matrix: {path}")


@app.command(
    "leaderboard",
    epilog=examples(
        "labkit kaggle leaderboard",
        "labkit kaggle leaderboard entries/ --truth truth.csv --deadline 2030-01-31T23:59",
        "labkit kaggle leaderboard --pseudonyms names.csv --out public/",
        "labkit kaggle leaderboard --enter",
    ),
)
def leaderboard(
    submissions: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of <student>.csv, or of one folder a student. Default:"
            " submission*.csv in submitted/<student>/<lab>/."
        ),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="The true classes. Default: course.toml's.")
    ] = None,
    public: Public = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            help="Until then public scores, after it private ones; UTC, or with a zone."
        ),
    ] = None,
    per_day: Annotated[
        int | None,
        typer.Option(min=1, help="So many submissions of a student count a day."),
    ] = None,
    pseudonyms: Annotated[
        Path | None,
        typer.Option(help="Show pseudonyms; this CSV keeps who is who, for you alone."),
    ] = None,
    enter: Annotated[
        bool,
        typer.Option("--enter", help="Enter the points by score into the gradebook."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Default: build/leaderboard/.")
    ] = None,
) -> None:
    """Rank the class's submissions: a page, a CSV, and points by score.

    What is not given comes from course.toml, table "kaggle". Points are for private
    scores, by the thresholds set there; rank never decides.
    """
    from labkit.grading.competition.contest import run_contest

    done = run_contest(
        submissions=submissions,
        truth=truth,
        public=public,
        deadline=deadline,
        per_day=per_day,
        pseudonyms=pseudonyms,
        enter=enter,
        out=out,
    )
    console.print(str(done.board))
    for path in done.files:
        console.print(str(path))
    if done.points is not None:
        students = counted(len(done.points.entered), "student")
        console.print(f"Points of {students} entered.")
        for student, reason in done.points.left:
            console.print(labelled("left alone:", "yellow", f"{student}: {reason}"))


@app.command(
    "submit",
    epilog=examples(
        'labkit kaggle submit submission.csv --competition my-class -m "wider network"',
    ),
)
def submit(
    file: File,
    competition: Annotated[
        str, typer.Option(help="Its name in kaggle.com/competitions/<name>.")
    ],
    message: Annotated[
        str, typer.Option("-m", "--message", help="What you changed, for your list.")
    ],
    sample: Sample = None,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for the score.")
    ] = 600,
) -> None:
    """Check a submission, hand it in at Kaggle, and print its public score.

    Through the official package (the extra "kaggle"), with its own credentials.
    """
    from labkit import kaggle

    try:
        with console.status("asking Kaggle"):
            done = kaggle.submit(
                file,
                competition,
                message,
                _sample_of(file, sample),
                wait=wait,
                announce=console.print,
            )
    except kaggle.SubmissionError as error:
        console.print(str(error))
        console.print("Nothing was sent.")
        raise typer.Exit(1) from None
    console.print(str(done))


@app.command(
    "report",
    epilog=examples(
        "labkit kaggle report build/run/<lab>/run.npz",
        "labkit kaggle report",
    ),
)
def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files run.npz that the competition's lab wrote. Default: those of the class,"
            " submitted/<student>/<lab>/run.npz."
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="Score submission.csv beside each file too."),
    ] = None,
    public: Public = None,
    out: Annotated[Path | None, typer.Option(help="Default: build/teams/.")] = None,
) -> None:
    """Write one HTML page a team: score, curves, confusion matrix, filters, mistakes."""
    from labkit.grading.competition.contest import write_reports

    done = write_reports(runs, truth, public, out)
    for path in done.pages:
        console.print(str(path))
    for text in done.failed:
        console.print(labelled("no page:", "red", text))
    if done.failed:
        raise typer.Exit(1)

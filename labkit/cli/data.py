"""The data sets' commands."""

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.terminal import console, errors, examples, labelled, show

app = typer.Typer(
    no_args_is_help=True, help="The data sets: what is here, fetch it, verify it."
)


@app.command("list", epilog=examples("labkit data list"))
def data_list() -> None:
    """Show every data set and whether it is on this machine."""
    from rich.table import Table

    from labkit import data

    table = Table("data set", "what", "where", box=None)
    table.add_column("MB", justify="right")
    table.add_column("licence")
    for one in data.inventory():
        where = one.present or f"{one.lacks} (stand-in: {one.stand_in})"
        size = f"{one.size / 1e6:.0f}" if one.size else ""
        table.add_row(one.name, one.title, where, size, one.licence)
    show(table)
    console.print("Where a data set is absent: labkit data fetch NAME")


@app.command(
    "fetch",
    epilog=examples(
        "labkit data fetch mnist",
        "labkit data fetch --to /media/stick/data",
        "labkit data fetch simpsons --competition our-class-2027",
    ),
)
def data_fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets, such as mnist. Default: all.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(help="A folder to use as LABKIT_DATA. Default: the cache."),
    ] = None,
    competition: Annotated[
        str,
        typer.Option(
            help="A Kaggle competition that has the files, such as a class's."
        ),
    ] = "",
) -> None:
    """Download official files, verified; an interrupted download goes on.

    For a class without a network: fetch with --to where there is one, copy
    the folder, and set LABKIT_DATA to it. What is on this machine is copied,
    not downloaded. Proxies are taken from HTTP_PROXY and HTTPS_PROXY.
    """
    from labkit import data

    failed = 0
    for name in names or [one.name for one in data.inventory()]:
        try:
            for path in data.fetch(name, to, competition):
                console.print(labelled("verified", "green", str(path)))
        except data.DataError as error:
            if len(names or ()) == 1:
                raise
            failed += 1
            errors.print(labelled(f"{name}:", "bold red", str(error)))
    if to:
        console.print(f"Copy {to} where you need it, and type there:")
        console.print("  export LABKIT_DATA=<the folder>")
    if failed:
        raise typer.Exit(1)


@app.command(
    "verify", epilog=examples("labkit data verify", "labkit data verify mnist")
)
def data_verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Data sets, such as mnist. Default: all that are here."),
    ] = None,
) -> None:
    """Hash the files again and compare with the published hashes."""
    from labkit import data

    present = [one.name for one in data.inventory() if one.present or one.partial]
    results = [result for name in names or present for result in data.verify(name)]
    for result in results:
        console.print(str(result))
    if not results:
        console.print("No data set is on this machine. Type: labkit data fetch")
    if any(result.ok is False for result in results):
        raise typer.Exit(1)

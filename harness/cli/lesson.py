"""`lesson`: the five study posts, figure by figure, as one page."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.exits import ENVIRONMENT, USAGE, say, stop
from harness.cli.run_plan import one_blas_thread

FILE = Path("lesson.html")


def lesson(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to write the page; its suffix is .html.")
    ] = FILE,
    language: Annotated[str, typer.Option(help="en, English, or ko, Korean.")] = "en",
    earlier: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="A folder of `report` or `reproduce` to quote. May be repeated.",
        ),
    ] = None,
) -> None:
    """Write the five study posts as one page, figure by figure.

    Every exercise, figure and number of the posts: what they show, what is measured while the
    page is made, the command that gives it, and why. It takes up to a minute, and needs no
    framework. MNIST is fetched once; where that cannot be, the page says which items are missing.
    """
    one_blas_thread()
    from harness.lesson.earlier_runs import EarlierRuns
    from harness.lesson.page import make_lesson
    from harness.lesson.texts import Language
    from harness.results import write_atomically

    if output.suffix != ".html":
        stop(USAGE, f"-o {output}: suffix must be .html. Got {output.suffix!r}")
    if language not in list(Language):
        stop(USAGE, f"--language must be {' or '.join(Language)}. Got {language!r}")
    folders = earlier or []
    try:
        runs = EarlierRuns.read(folders)
    except (OSError, ValueError) as error:
        stop(USAGE, f"--from: {error}")
    _fetch_digits()
    say("computing the items of the five posts; this takes up to a minute")
    page = make_lesson(Language(language), runs, [str(folder) for folder in folders])
    try:
        write_atomically(output, page.html.encode())
    except OSError as error:
        stop(ENVIRONMENT, f"{output}: cannot be written ({error.strerror or error})")
    for reason, numbers in page.missing.items():
        say(f"not computed: items {', '.join(map(str, numbers))}: {reason}")
    print(output.resolve().as_uri())
    sys.stdout.flush()


def _fetch_digits() -> None:
    """Fetch MNIST unless it is here, as `report` does; a page without it is better than none."""
    from harness.data import fetching

    dataset = "mnist"
    try:
        fetching.files(dataset, fetching.folder(dataset))
    except fetching.DataMissingError:
        say(f"fetching {dataset} (once)")
        try:
            say(f"{dataset}: {fetching.fetch(dataset)}")
        except fetching.DataMissingError as error:
            say(str(error))

"""The command that has a person forgotten, and proves it."""

import sys
from pathlib import Path

import duckdb

from orchestration.console import console, step
from orchestration.lock import only_run
from orchestration.operations.night import run
from orchestration.privacy.erasure import FORGOTTEN, erase, erase_version_before, names_of
from orchestration.privacy.names import Names
from orchestration.privacy.searching import (
    Clean,
    history_names,
    seed_lines_that_name,
    what_names,
)
from orchestration.publication.mirror import mirror_current
from orchestration.settings import Settings, UserError

_HOW = (
    "PERSON='their-id' make forget, with their id as in core.dim_users, or PERSON_FILE=path make "
    "forget with a file that has nothing but the id in it"
)


def person_said(person: str, file: str) -> str:
    """Return the id that somebody has said, or written into a file.

    Raises:
        UserError: neither is there, or both; the file cannot be read, or has several lines; or it
            is a name of ours.
    """
    if person and file:
        raise UserError("PERSON and PERSON_FILE both say whom to forget: say one of them.")
    if file:
        try:
            person = Path(file).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            raise UserError(f"PERSON_FILE: {file} cannot be read as text: {error}.") from None
    person = person.strip()
    if not person:
        raise UserError(f"Say whom to forget: {_HOW}.")
    if len(person.splitlines()) > 1:
        raise UserError("An id has no second line. Forget one person at a time.")
    if person.startswith("("):
        raise UserError(
            f"{person} is a name of this project's own, and no person. Whose id begins with a "
            "bracket stands in core.dim_users with `user ` before it: say it so."
        )
    return person


def forget(settings: Settings, person: str, is_sure: bool = False) -> None:
    """Remove a person from what landed, from raw/, the warehouse, and all that is published.

    They are shown first; unless `is_sure`, whoever asked must say yes.

    Raises:
        UserError: nothing names them, the seed teams does, a run is at work, it was not confirmed,
            the disk is full, or something names them still.
    """
    clean: Clean = {}
    places = " or ".join(
        filter(None, (str(settings.home), settings.landing_url, settings.publish_url))
    )
    with only_run(settings):
        names = names_of(settings, person)
        if lines := seed_lines_that_name(names):
            raise UserError(
                f"{'; '.join(lines)} names them: remove the line, and say this again. Nothing else "
                "was removed so far. Of the file's history in git you must take care yourself."
            )
        with step("search") as progress:
            named = what_names(settings, names, clean)
            progress.result = f"{len(named):,} files name them, or cannot be read"
        if not named:
            raise UserError(_nothing(settings, person, names, places))
    console.print(f"\n{person}: {_requests_of(settings, names)}")
    linked = [Path(name).resolve() for name in named if Path(name).is_symlink()]
    elsewhere = [path for path in linked if not path.is_relative_to(settings.home)]
    for path in elsewhere:
        console.print(f"  {path} is no file of landing/, only a link there: it will stay")
    if not is_sure:
        _ask()
    with only_run(settings), step("forget") as progress:
        rewritten, landed = erase(settings, names, clean)
        progress.result = (
            f"{rewritten:,} files in raw/ and archive/ rewritten, {landed:,} files removed"
        )
    try:
        run(settings)
        with only_run(settings):
            erase_version_before(settings)
            mirror_current(settings)
            left = what_names(settings, names, clean) + [str(path) for path in elsewhere]
    except (UserError, OSError) as error:
        raise UserError(f"{error}\nForgetting has begun and is not done: say it again.") from error
    if left:
        files = "\n  ".join(left)
        raise UserError(
            f"These files still name {person!r}, or cannot be read to see whether they do; please "
            f"look at them:\n  {files}"
        )
    console.print(f"\nNothing in {places} names them; what they used is {FORGOTTEN}'s.")


def _nothing(settings: Settings, person: str, names: Names, places: str) -> str:
    said = f"Nothing in {places} names the user {person!r}."
    if history_names(settings, names):
        said += (
            f" But the history of runs has the word; if that is they, remove it: "
            f"{settings.home / 'dagster'}"
        )
    return said


def _requests_of(settings: Settings, names: Names) -> str:
    """Say what is published of them."""
    reports = settings.published / "reports.duckdb"
    if not reports.exists():
        return "nothing is published yet"
    with duckdb.connect(str(reports), read_only=True) as connection:
        requests, first, last = connection.execute(
            "select sum(requests), min(usage_date), max(usage_date) from usage.usage_by_user "
            "where list_contains($names, user_id)",
            {"names": names.all},
        ).fetchone()
    return f"{requests:,} requests from {first} to {last}" if requests else "no requests published"


def _ask() -> None:
    """Have whoever asked say that it is this person.

    Raises:
        UserError: they do not, or there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UserError(
            "Nothing was removed: there is no terminal to ask whether that is the person. A script "
            "says YES=1."
        )
    try:
        answer = input("Forget them for good? Write yes: ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip().lower() != "yes":
        raise UserError("Nothing was removed.")

"""The command that has a person forgotten, and proves it."""

from orchestration.console import console, step
from orchestration.lock import only_run
from orchestration.operations.night import run
from orchestration.privacy.erasure import FORGOTTEN, erase, erase_history, names_of
from orchestration.privacy.searching import Clean, seed_lines_that_name, what_names
from orchestration.publication.mirror import mirror_current
from orchestration.settings import Settings, UserError


def forget(settings: Settings, user_id: str) -> None:
    """Remove a person from what landed, from raw/, the warehouse, and all that is published.

    Raises:
        UserError: nothing names them, the seed teams does, a run is at work, or something names
            them still.
    """
    if not user_id.strip():
        raise UserError("Say whom to forget: make forget USER=their-id, as in core.dim_users.")
    names = names_of(settings, user_id)
    if lines := seed_lines_that_name(names):
        raise UserError(
            f"{'; '.join(lines)} names them: remove the line, and say this again. Nothing else was "
            "removed so far. Of the file's history in git you must take care yourself."
        )
    clean: Clean = {}
    places = " or ".join(
        filter(None, (str(settings.home), settings.landing_url, settings.publish_url))
    )
    with only_run(settings):
        with step("search") as progress:
            named = what_names(settings, names, clean)
            progress.result = f"{len(named):,} files name them"
        if not named:
            raise UserError(f"Nothing in {places} names the user {user_id!r}.")
        with step("forget") as progress:
            rewritten, landed = erase(settings, user_id, names, clean)
            progress.result = (
                f"{rewritten:,} files in raw/ and archive/ rewritten, {landed:,} files removed"
            )
    run(settings)
    with only_run(settings):
        erase_history(settings, names)
        mirror_current(settings)
        left = what_names(settings, names, clean)
    if left:
        files = "\n  ".join(left)
        raise UserError(
            f"These files still name {user_id!r}, or cannot be read to see whether they do; please "
            f"look at them:\n  {files}"
        )
    console.print(f"\nNothing in {places} names them; what they used is {FORGOTTEN}'s.")

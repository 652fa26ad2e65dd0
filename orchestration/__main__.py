"""`python -m orchestration`: what a person does by hand. Without a command it runs the night."""

import argparse
import contextlib
import multiprocessing.util
import os
import signal
import sys
from types import FrameType

from orchestration.console import console
from orchestration.settings import (
    UserError,
    leave_out_the_users,
    load_settings,
    taken_from_environment,
)


def main(arguments: list[str] | None = None) -> int:
    """Do what the command says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m orchestration", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("run", help="take in what has landed, rebuild what changed, publish")
    commands.add_parser("serve", help="keep the schedule, Dagster's pages and the Reports page up")
    commands.add_parser("rollback", help="publish the version before again")
    days = commands.add_parser("rebuild", help="build days anew although nothing of them changed")
    days.add_argument("--first-date", help="like 2026-01-31; without dates, everything")
    days.add_argument("--last-date")
    person = commands.add_parser("forget", help="remove a person from everything, and prove it")
    person.description = (
        "The environment says whom: PERSON is their id, as in core.dim_users, or PERSON_FILE the "
        "path of a file that has nothing but the id in it."
    )
    person.add_argument("--yes", action="store_true", help="do not ask whether that is the person")
    look = commands.add_parser("inspect", help="say what a file would be taken for")
    look.add_argument("--file", required=True, help="its path; nothing of it is taken in")
    asked = parser.parse_args(arguments)
    try:
        if asked.command == "inspect":
            # Before anybody has a home for it.
            from orchestration.operations.inspect import inspect

            inspect(asked.file)
            return 0
        settings = load_settings()
        # Each is imported when it is asked for: most take seconds to import.
        if asked.command == "serve":
            from orchestration.operations.serve import serve

            serve(settings)
        elif asked.command == "rollback":
            from orchestration.publication import roll_back

            build = roll_back(settings)
            console.print(
                f"What was published {build.built_at} is published again. Mend what was wrong: the "
                "next night publishes anew."
            )
        elif asked.command == "forget":
            from orchestration.operations.forget import forget, person_said

            # No argument: dbt writes down what a command was called with.
            forget(
                settings, person_said(*taken_from_environment("PERSON", "PERSON_FILE")), asked.yes
            )
        else:
            from orchestration.operations.night import run

            config = None
            if asked.command == "rebuild":
                dates = {"first_date": asked.first_date, "last_date": asked.last_date}
                days = {name: day for name, day in dates.items() if day} or {"everything": True}
                config = {"ops": {"models": {"config": days}}}
            run(settings, config)
    except UserError as error:
        console.print(f"\nStopped. {error}", style="red")
        return 1
    except OSError as error:
        console.print(f"\nStopped: {error}. Put that right and run again.", style="red")
        return 1
    return 0


def _stop(number: int, _: FrameType | None) -> None:
    """End at once, as whatever ends a run may: none of its steps leaves half of anything."""
    console.show_cursor()
    console.print(
        f"\nStopped: {signal.Signals(number).name} has ended this. What was published before still "
        "stands, and nothing is lost: say it again, and it is done from where this one was.",
        style="red",
    )
    with contextlib.suppress(Exception):
        # Else multiprocessing, of which dbt has its locks, warns that they were left.
        multiprocessing.util._run_finalizers(0)
    os._exit(1)


if __name__ == "__main__":
    leave_out_the_users(["-m", "orchestration", *sys.argv[1:]])
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, _stop)
    sys.exit(main())

"""Where Dagster keeps the history of runs: files under AI_USAGE_HOME, or a PostgreSQL server."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from orchestration.settings import PROJECT, Settings, UserError

_TIMEOUT_S = 10
# Dagster reads the address from the environment itself, so that it stands in no file.
_POSTGRES = """
storage:
  postgres:
    postgres_url:
      env: DAGSTER_POSTGRES_URL
"""


def prepare_dagster(settings: Settings) -> None:
    """Give Dagster its home under AI_USAGE_HOME, and its storage.

    That is SQLite there, or with AI_USAGE_DAGSTER_POSTGRES_URL (postgresql://user:password@host:
    port/database, from the environment) a PostgreSQL server.

    Raises:
        UserError: that server cannot be used; says why, without the password.
    """
    dagster_home = settings.home / "dagster"
    dagster_home.mkdir(exist_ok=True)
    text = (PROJECT / "dagster.yaml").read_text()
    if settings.dagster_postgres_url:
        text += _POSTGRES
        url = settings.dagster_postgres_url.get_secret_value()
        _refuse_if_unusable(url)
        # SQLAlchemy 2.1 would take another driver than the one that dagster-postgres brings.
        os.environ["DAGSTER_POSTGRES_URL"] = url.replace("://", "+psycopg2://", 1)
    (dagster_home / "dagster.yaml").write_text(text)
    os.environ["DAGSTER_HOME"] = str(dagster_home)


@contextmanager
def history_open(settings: Settings, run_id: str) -> Iterator[None]:
    """Keep the files of Dagster's history open during a run.

    Dagster opens and closes them for each of a thousand events, and whoever closes a file as the
    last one has SQLite write back, and sync, all that is new in it: most of what an event costs.
    """
    history = settings.home / "dagster" / "history"
    names = ("runs.db", "runs/index.db", f"runs/{run_id}.db")
    with ExitStack() as files:
        for name in () if settings.dagster_postgres_url else names:
            file = files.enter_context(closing(sqlite3.connect(history / name)))
            file.execute("pragma journal_mode = wal")  # as Dagster does; it opens the file, too
        yield


def _refuse_if_unusable(url: str) -> None:
    import psycopg2

    try:
        psycopg2.connect(url, connect_timeout=_TIMEOUT_S).close()
    except psycopg2.Error as error:
        # What the server says names no password; what else is said may show what was read for one.
        _, is_said, why = str(error).strip().rpartition("FATAL:")
        why = why.strip() if is_said else "no server answers there"
        raise UserError(
            f"Dagster's history cannot be kept as AI_USAGE_DAGSTER_POSTGRES_URL says: {why}. Start "
            "that server or mend the address; without the setting it is kept under AI_USAGE_HOME."
        ) from None

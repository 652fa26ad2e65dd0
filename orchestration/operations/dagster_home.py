"""Where Dagster keeps the history of runs: files under AI_USAGE_HOME, or a PostgreSQL server."""

import os
from urllib.parse import urlsplit

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
    url = os.environ.get("AI_USAGE_DAGSTER_POSTGRES_URL")
    if url:
        _check(url)
        # SQLAlchemy 2.1 would take another driver than the one that dagster-postgres brings.
        os.environ["DAGSTER_POSTGRES_URL"] = url.replace("://", "+psycopg2://", 1)
    text = (PROJECT / "dagster.yaml").read_text()
    (dagster_home / "dagster.yaml").write_text(text + _POSTGRES if url else text)
    os.environ["DAGSTER_HOME"] = str(dagster_home)


def _check(url: str) -> None:
    import psycopg2

    try:
        parts = urlsplit(url)
        if parts.scheme != "postgresql" or not parts.hostname or not parts.path or parts.port == 0:
            raise ValueError
        psycopg2.connect(url, connect_timeout=_TIMEOUT_S).close()
    except (ValueError, psycopg2.ProgrammingError):
        # The text of these errors holds the address.
        raise UserError(
            "AI_USAGE_DAGSTER_POSTGRES_URL is no address such as "
            "postgresql://user:password@host:port/database, with %XX for what has a meaning there."
        ) from None
    except psycopg2.OperationalError as error:
        # What the server says names no password; what else is said may show what was read for one.
        _, is_said, why = str(error).strip().rpartition("FATAL:")
        why = why.strip() if is_said else "no server answers there"
        raise UserError(
            f"Dagster's history cannot be kept as AI_USAGE_DAGSTER_POSTGRES_URL says: {why}. Start "
            "that server or mend the address; without the setting it is kept under AI_USAGE_HOME."
        ) from None

"""Where things are, and what the organisation has set."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

PROJECT = Path(__file__).resolve().parent.parent
_SHORTEST_KEY = 16

# Nobody is told what an organisation does with its warehouse.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")


class UserError(Exception):
    """Something that a person can put right; its text says what and how, and needs no traceback."""


@dataclass(frozen=True)
class Settings:
    """The organisation's settings, checked, and the folders under AI_USAGE_HOME."""

    home: Path
    reporting_time_zone: str
    session_idle_minutes: int
    gateway_addresses: list[str]
    # None where users are shown.
    hiding_key: str | None = field(repr=False, default=None)
    # 0 where requests are kept for ever.
    retention_days: int = 0
    # s3://, gs:// or az://, without an end slash and without a secret; None where all is on disk.
    landing_url: str | None = None
    publish_url: str | None = None

    @property
    def landing(self) -> Path:
        """What the gateways leave."""
        return self.home / "landing"

    @property
    def raw(self) -> Path:
        """What was taken in, typed, as Parquet."""
        return self.home / "raw"

    @property
    def archive(self) -> Path:
        """The sums of days whose requests are past retention."""
        return self.home / "archive"

    @property
    def warehouse(self) -> Path:
        """The file that dbt builds in; nobody else opens it."""
        return self.home / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """What people and BI tools read."""
        return self.home / "published"


def load_settings() -> Settings:
    """Read `vars` of dbt_project.yml and the environment variables AI_USAGE_<NAME> over them.

    Raises:
        UserError: a setting is wrong; the text names it and says what is allowed.
    """
    variables = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]

    def setting(name: str) -> str:
        value = variables[name]
        default = ",".join(value) if isinstance(value, list) else str(value)
        return os.environ.get(f"AI_USAGE_{name.upper()}", default).strip()

    zone = setting("reporting_time_zone")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise UserError(
            f"reporting_time_zone is {zone!r}, which is no time zone. Set it in dbt_project.yml or "
            "AI_USAGE_REPORTING_TIME_ZONE to an IANA name such as Europe/Berlin."
        ) from None

    minutes = setting("session_idle_minutes")
    if not re.fullmatch("[0-9]{1,5}", minutes) or int(minutes) == 0:
        raise UserError(
            f"session_idle_minutes is {minutes!r}. Set it in dbt_project.yml or "
            "AI_USAGE_SESSION_IDLE_MINUTES to a whole number of minutes, such as 30."
        )

    addresses = [a.strip() for a in setting("gateway_addresses").split(",") if a.strip()]
    for address in addresses:
        # As spans name a server: without https://, and in letters that stay text in SQL.
        if not re.fullmatch(r"[\w.:\[\]-]+:[0-9]{1,5}", address, re.ASCII):
            raise UserError(
                f"gateway_addresses has {address!r}. Set it in dbt_project.yml or "
                "AI_USAGE_GATEWAY_ADDRESSES to host:port, several with commas between them."
            )

    hide_users = setting("hide_users").lower()
    if hide_users not in ("true", "false"):
        raise UserError(
            f"hide_users is {hide_users!r}. Set it in dbt_project.yml or AI_USAGE_HIDE_USERS to "
            "true or false."
        )
    hiding_key = os.environ.get("AI_USAGE_HIDING_KEY", "") if hide_users == "true" else None
    if hiding_key is not None and len(hiding_key) < _SHORTEST_KEY:
        raise UserError(
            f"hide_users is true, and AI_USAGE_HIDING_KEY has {len(hiding_key)} characters. Set it "
            f"in the environment to a secret of {_SHORTEST_KEY} or more, and keep it: with another "
            "key everybody becomes somebody else."
        )

    days = setting("retention_days")
    if not re.fullmatch("[0-9]{1,5}", days):
        raise UserError(
            f"retention_days is {days!r}. Set it in dbt_project.yml or AI_USAGE_RETENTION_DAYS to "
            "a whole number of days, such as 90, or 0 to keep every request."
        )

    home = Path(os.environ.get("AI_USAGE_HOME") or PROJECT / "data").expanduser().resolve()
    landing_url, publish_url = map(_storage_url, ("AI_USAGE_LANDING_URL", "AI_USAGE_PUBLISH_URL"))
    if landing_url and publish_url:
        shorter, longer = sorted((f"{landing_url}/", f"{publish_url}/"), key=len)
        if longer.startswith(shorter):
            raise UserError(
                "AI_USAGE_LANDING_URL and AI_USAGE_PUBLISH_URL lie within each other. Set them to "
                "two folders, such as s3://bucket/landing and s3://bucket/published."
            )
    settings = Settings(
        home, zone, int(minutes), addresses, hiding_key, int(days), landing_url, publish_url
    )
    for folder in (settings.landing, settings.raw, settings.published, home / "tmp"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(_unwritable(home, error.strerror)) from None
        if not os.access(folder, os.W_OK):
            raise UserError(_unwritable(folder, "no permission to write"))
    # dbt reads its paths and settings from the environment too.
    os.environ["AI_USAGE_HOME"] = str(home)
    return settings


def _storage_url(name: str) -> str | None:
    """Return an address on object storage, which is shown to people and so holds no secret."""
    url = os.environ.get(name, "").strip().rstrip("/")
    if not url:
        return None
    # What is wrong is not shown: it may be a password.
    if not re.fullmatch(r"(s3|gs|az)://[\w.-]+(/[^\s/?#@*\[\]]+)*", url):
        raise UserError(
            f"{name} is no address like s3://bucket/folder, gs://bucket/folder or "
            "az://container/folder. It holds no key or password: these have environment variables "
            "of their own, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    return url


def _unwritable(folder: Path, why: str | None) -> str:
    return (
        f"AI_USAGE_HOME: cannot write in {folder} ({why}). Set AI_USAGE_HOME to a writable folder."
    )

"""Where things are, and what the organisation has set: the one place that reads the environment."""

import hashlib
import locale
import os
import re
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PROJECT = Path(__file__).resolve().parent.parent
_PREFIX = "AI_USAGE_"
_SHORTEST_KEY = 16

# Nobody is told what an organisation does with its warehouse.
_PRIVATE = {
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "GX_ANALYTICS_ENABLED": "false",
}
os.environ.update(_PRIVATE)
# Variables that steer the libraries beneath, set for another project of the user's: DBT_TARGET,
# DBT_FULL_REFRESH, DAGSTER_HOME.
_STEERING = ("DBT_", "DAGSTER_", "GX_")
_STEERING_PYTHON = ("PYTHONDEVMODE", "PYTHONIOENCODING", "PYTHONOPTIMIZE", "PYTHONWARNINGS")


class UserError(Exception):
    """Something that a person can put right; its text says what and how, and needs no traceback."""


@dataclass(frozen=True)
class Setting:
    """What each setting says of itself besides its type; neither of the first two has a default."""

    # Whether other tables come of the same events with another value. What is missing here gives
    # "nothing new" after a change.
    changes_tables: bool
    # What people are told that it may be.
    allowed: str
    # Whether they are shown what is wrong, which of an address may be a password.
    is_shown: bool = True


# dbt reads the same text: what pydantic takes for a number besides ("2.0", "1_000"), SQL would not.
def _only_digits(text: str) -> str:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError
    return text


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _true_or_false(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError
    return text.lower() == "true"


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError):
        raise ValueError from None
    return name


def _folder(path: Path) -> Path:
    try:
        return path.expanduser().resolve()
    except RuntimeError:  # ~ of nobody
        raise ValueError from None


def _server(text: str, *schemes: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0:
        raise ValueError
    return text


def _web_address(text: str) -> str:
    return _server(text, "http", "https")


def _mail_server(text: str) -> str:
    return _server(text, "smtp", "smtps")


def _postgres_database(text: str) -> str:
    import psycopg2
    from psycopg2.extensions import parse_dsn

    try:
        parse_dsn(_server(text, "postgresql"))
    except psycopg2.ProgrammingError:
        raise ValueError from None
    if not urlsplit(text).path:
        raise ValueError
    return text


def _name_and_password(text: str) -> str:
    name, _, password = text.partition(":")
    if not name or len(password) < _SHORTEST_KEY:
        raise ValueError
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


_WholeNumber = Annotated[int, BeforeValidator(_only_digits)]
_Port = Annotated[_WholeNumber, Field(ge=1, le=65535)]
# As spans name a server: without https://, and in letters that stay text in SQL.
_Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:\[\]-]+:[0-9]{1,5}$")]
# As a Host header has it.
_HostName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])$")]
# A pattern stays text in SQL, and is one of several with commas between them.
_Pattern = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f'\"]{1,256}$")]
# As spans name their attributes, in letters that stay text in SQL.
_Attributes = Annotated[
    list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,100}$")]],
    BeforeValidator(lambda text: [part.strip() for part in text.split(",") if part.strip()]),
    # What has landed is read by the names of then; no other tables come of it.
    Setting(
        changes_tables=False,
        allowed="names of attributes of spans, such as app.user, several with commas between them",
    ),
]
_StorageUrl = Annotated[
    str,
    BeforeValidator(lambda url: url.strip().rstrip("/")),
    StringConstraints(pattern=r"^(s3|gs|az)://[\w.-]+(/[^\s/?#@*\[\]]+)*$"),
]
_STORAGE_URL = Setting(
    changes_tables=False,
    allowed="an address like s3://bucket/folder, gs://bucket/folder or az://container/folder. It "
    "holds no key or password: these have environment variables of their own, such as "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    is_shown=False,
)


class Settings(BaseSettings):
    """All settings, checked, and the folders under AI_USAGE_HOME.

    Each may be set as AI_USAGE_<NAME>. Those without a default are the organisation's: they stand
    in `vars` of dbt_project.yml, where dbt reads them too. The others come from the environment
    alone. docs/operations.md tells people of them.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        frozen=True,
        enable_decoding=False,
        validate_default=False,
        hide_input_in_errors=True,
    )

    reporting_time_zone: Annotated[
        str,
        AfterValidator(_time_zone),
        Setting(changes_tables=True, allowed="the IANA name of a time zone, such as Europe/Berlin"),
    ]
    session_idle_minutes: Annotated[
        _WholeNumber,
        Field(ge=1, le=99_999),
        Setting(changes_tables=True, allowed="a whole number of minutes, such as 30"),
    ]
    gateway_addresses: Annotated[
        list[_Address],
        BeforeValidator(_parts),
        Setting(changes_tables=True, allowed="host:port, several with commas between them"),
    ]
    # Owners of keys that several people use.
    shared_keys: Annotated[
        list[_Pattern],
        BeforeValidator(_parts),
        Setting(
            changes_tables=True,
            allowed="user ids, * in them for anything, several with commas between them, and no "
            "quotation marks",
        ),
    ]
    hide_users: Annotated[
        bool,
        BeforeValidator(_true_or_false),
        Setting(changes_tables=True, allowed="true or false"),
    ]
    # 0 where requests are kept for ever. What is archived tells of it, not the setting itself.
    retention_days: Annotated[
        _WholeNumber,
        Field(le=99_999),
        Setting(
            changes_tables=False,
            allowed="a whole number of days, such as 90, or 0 to keep every request",
        ),
    ]

    home: Annotated[
        Path,
        AfterValidator(_folder),
        Setting(changes_tables=False, allowed="a folder that can be written in"),
    ] = Field(default_factory=lambda: PROJECT / "data")
    hiding_key: Annotated[
        SecretStr | None,
        Setting(
            changes_tables=True,
            allowed=f"a secret of {_SHORTEST_KEY} characters or more",
            is_shown=False,
        ),
    ] = None
    # Without an end slash and without a secret; None where all is on disk.
    landing_url: Annotated[_StorageUrl | None, _STORAGE_URL] = None
    publish_url: Annotated[_StorageUrl | None, _STORAGE_URL] = None
    # For profiles/profiles.yml.
    memory_limit: Annotated[
        str,
        StringConstraints(pattern=r"(?i)^[0-9]+(\.[0-9]+)? *[kmgt](i?b)?$"),
        Setting(changes_tables=False, allowed="an amount of memory, such as 8GB"),
    ] = "8GB"
    # Of what is lost a person has said that it is meant.
    accept_changes: Annotated[
        bool, Setting(changes_tables=False, allowed="1, for one run, or leave it out")
    ] = False

    host: Annotated[
        str, Setting(changes_tables=False, allowed="an address of this machine, like 127.0.0.1")
    ] = "127.0.0.1"
    dagster_port: Annotated[
        _Port, Setting(changes_tables=False, allowed="the number of a free port")
    ] = 3000
    page_port: Annotated[
        _Port, Setting(changes_tables=False, allowed="the number of a free port")
    ] = 8000
    # By which both may be asked besides: anything else in a Host header is another site's trick.
    host_names: Annotated[
        list[_HostName],
        BeforeValidator(_parts),
        Setting(
            changes_tables=False,
            allowed="names such as reports.acme.example, without ports, several with commas "
            "between them",
        ),
    ] = []
    sign_in: Annotated[
        SecretStr | None,
        BeforeValidator(_name_and_password),
        Setting(
            changes_tables=False,
            allowed=f"name:password, with a password of {_SHORTEST_KEY} characters or more",
            is_shown=False,
        ),
    ] = None
    dagster_postgres_url: Annotated[
        SecretStr | None,
        BeforeValidator(_postgres_database),
        Setting(
            changes_tables=False,
            allowed="an address such as postgresql://user:password@host:port/database, with %XX "
            "for what has a meaning there",
            is_shown=False,
        ),
    ] = None

    # Before the names that are known, for what lands from then on.
    user_attributes: _Attributes = []
    team_attributes: _Attributes = []
    session_attributes: _Attributes = []

    # PostgreSQL's driver knows more addresses than could be checked here.
    litellm_database_url: Annotated[
        SecretStr | None,
        Setting(
            changes_tables=False,
            allowed="an address such as postgresql://user:password@host:port/database",
            is_shown=False,
        ),
    ] = None
    # How far behind the newest known row that database is read.
    litellm_overlap_hours: Annotated[
        _WholeNumber,
        Field(le=999_999),
        Setting(changes_tables=False, allowed="a whole number of hours, such as 48"),
    ] = 48

    alert_webhook_url: Annotated[
        SecretStr | None,
        BeforeValidator(_web_address),
        Setting(
            changes_tables=False, allowed="an address that begins with https://", is_shown=False
        ),
    ] = None
    alert_webhook_format: Annotated[
        Literal["text", "card"], Setting(changes_tables=False, allowed="text or card")
    ] = "text"
    alert_mail_to: Annotated[
        str | None,
        Setting(changes_tables=False, allowed="mail addresses with commas between them"),
    ] = None
    alert_mail_from: Annotated[
        str | None, Setting(changes_tables=False, allowed="a mail address")
    ] = None
    smtp_url: Annotated[
        SecretStr | None,
        BeforeValidator(_mail_server),
        Setting(
            changes_tables=False,
            allowed="a mail server, smtp://host:port or smtps://user:password@host:port",
            is_shown=False,
        ),
    ] = None

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

    def what_changes_tables(self) -> dict[str, object]:
        """Return all settings that tables are made with, of a secret its SHA-256."""
        return {
            name: hashlib.sha256(value.get_secret_value().encode()).hexdigest()
            if isinstance(value, SecretStr)
            else value
            for name, value in self
            if about(name).changes_tables
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Have the environment win over dbt_project.yml, whose other vars are analysts' own."""
        variables = yaml.safe_load((PROJECT / "dbt_project.yml").read_text()).get("vars") or {}
        ours = {name: value for name, value in variables.items() if _is_in_project(name)}
        return env_settings, InitSettingsSource(settings_cls, ours)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, values: dict[str, object]) -> dict[str, object]:
        """Take an empty variable for none, but for those that dbt would take as they are."""
        return {
            name: value
            for name, value in values.items()
            if str(value).strip() or _is_in_project(name)
        }

    @field_validator("*", mode="before")
    @classmethod
    def _as_text(cls, value: object, info: ValidationInfo) -> str:
        """Have one way to read them, whether YAML or the environment says it."""
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        # A secret is what it is.
        return text.strip() if about(info.field_name).is_shown else text

    @model_validator(mode="after")
    def _fit_together(self) -> "Settings":
        wrong = []
        # DuckDB, dbt and Dagster read patterns and addresses in their paths.
        if re.search(r"[*?#\[]|%[0-9A-Fa-f]{2}", str(self.home)):
            wrong.append(
                f"AI_USAGE_HOME is {str(self.home)!r}. Set it in the environment to a folder "
                "without *, ?, #, [ and codes like %41 in its path."
            )
        # dbt has DuckDB copy the seeds from there as it stands.
        if re.search(r"[*?'\[]", str(PROJECT)):
            wrong.append(f"The project lies in {PROJECT}. Move it to where no *, ?, [ or ' is.")
        key = self.hiding_key.get_secret_value() if self.hiding_key else ""
        if self.hide_users and len(key) < _SHORTEST_KEY:
            wrong.append(
                f"hide_users is true, and AI_USAGE_HIDING_KEY has {len(key)} characters. Set it in "
                f"the environment to a secret of {_SHORTEST_KEY} or more, and keep it: with "
                "another key everybody becomes somebody else."
            )
        if self.landing_url and self.publish_url:
            shorter, longer = sorted((f"{self.landing_url}/", f"{self.publish_url}/"), key=len)
            if longer.startswith(shorter):
                wrong.append(
                    "AI_USAGE_LANDING_URL and AI_USAGE_PUBLISH_URL lie within each other. Set them "
                    "to two folders, such as s3://bucket/landing and s3://bucket/published."
                )
        if not self.sign_in and not _is_loopback(self.host):
            wrong.append(
                f"AI_USAGE_HOST is {self.host!r}, which others reach, so AI_USAGE_SIGN_IN must say "
                "what they sign in with: name:password, with a password of "
                f"{_SHORTEST_KEY} characters or more."
            )
        if self.alert_mail_to and not self.smtp_url:
            wrong.append(
                "AI_USAGE_ALERT_MAIL_TO is set, so AI_USAGE_SMTP_URL must name the mail server: "
                "smtp://host:port or smtps://user:password@host:port."
            )
        if wrong:
            raise ValueError("\n".join(wrong))
        return self


def leave_out_the_users(command: list[str]) -> None:
    """Leave out of the environment what is not meant for this program but would steer it.

    Who has no home is given one, where nothing is.

    Python reads its own share when it begins: where that is wrong, as is an encoding of files and
    their names other than UTF-8, `command` takes this program's place.
    """
    for name in list(os.environ):
        if name.startswith(_STEERING) and name not in _PRIVATE:
            del os.environ[name]
    try:
        Path.home()
    except RuntimeError:  # a container's user has none, and libraries end for want of one
        os.environ["HOME"] = "/nonexistent"
    steered = [name for name in _STEERING_PYTHON if os.environ.pop(name, None)]
    encodings = {sys.getfilesystemencoding().lower(), locale.getpreferredencoding(False).lower()}
    if steered or (encodings != {"utf-8"} and os.environ.get("PYTHONUTF8") != "1"):
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *command])  # noqa: S606


def taken_from_environment(*names: str) -> tuple[str, ...]:
    """Return what variables say, and take them out: no program that is started is told."""
    return tuple(os.environ.pop(name, "") for name in names)


def load_settings() -> Settings:
    """Read the settings, make the folders under AI_USAGE_HOME, and tell dbt where these are.

    Raises:
        UserError: see `read_settings`; or a folder cannot be written in.
    """
    settings = read_settings()
    home = settings.home
    for folder in (settings.landing, settings.raw, settings.published, home / "tmp"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(_unwritable(home, error.strerror)) from None
        # What lands may be somebody else's, to be read alone.
        if folder != settings.landing and not os.access(folder, os.W_OK):
            raise UserError(_unwritable(folder, "no permission to write"))
    os.environ[variable("home")] = str(home)
    return settings


def read_settings() -> Settings:
    """Read the settings and change nothing, as is fit for dbt that an analyst has started.

    Raises:
        UserError: settings are wrong; the text has a line for each, which names it and says what is
            allowed, and shows nothing that may be a secret.
    """
    known = {variable(name) for name in Settings.model_fields}
    ours = [name for name in os.environ if name.upper().startswith(_PREFIX)]
    wrong = [_unknown(name, known) for name in sorted(ours) if name not in known]
    try:
        settings = Settings()
    except ValidationError as error:
        wrong += map(_in_words, error.errors())
    # Out here pydantic's error, which holds what was set, is not even the context of this one.
    if wrong:
        raise UserError("\n".join(wrong))
    return settings


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return _PREFIX + name.upper()


def about(name: str) -> Setting:
    """Return what a setting says of itself."""
    return next(m for m in Settings.model_fields[name].metadata if isinstance(m, Setting))


def _is_in_project(name: str) -> bool:
    return name in Settings.model_fields and Settings.model_fields[name].is_required()


def _unknown(name: str, known: set[str]) -> str:
    # Compared without what all of them begin with, by which any would be near to any.
    names = {other.removeprefix(_PREFIX): other for other in known}
    near = get_close_matches(name.upper().removeprefix(_PREFIX), names, n=1)
    instead = f"Did you mean {names[near[0]]}?" if near else "docs/operations.md lists all of them."
    return f"{name} is no setting. {instead}"


def _in_words(error: ErrorDetails) -> str:
    """Say what is wrong in our words; pydantic's are for programmers."""
    if not error["loc"]:
        return str(error["ctx"]["error"])
    name, *within = error["loc"]
    allowed = about(name).allowed
    if error["type"] == "missing":
        return f"{name} is missing in vars of dbt_project.yml. Set it there to {allowed}."
    if not about(name).is_shown:
        return (
            f"{variable(name)} is wrong, and not shown here since it may hold a password. Set "
            f"it in the environment to {allowed}."
        )
    where = f"dbt_project.yml or {variable(name)}" if _is_in_project(name) else "the environment"
    return (
        f"{name if _is_in_project(name) else variable(name)} {'has' if within else 'is'} "
        f"{error['input']!r}. Set it in {where} to {allowed}."
    )


def _unwritable(folder: Path, why: str | None) -> str:
    return (
        f"AI_USAGE_HOME: cannot write in {folder} ({why}). Set AI_USAGE_HOME to a writable folder."
    )

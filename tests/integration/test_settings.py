"""A wrong setting is named, with what is allowed; dbt and Python read the same values."""

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT, Warehouse
from pydantic import SecretStr

from orchestration import settings
from orchestration.settings import (
    Setting,
    Settings,
    UserError,
    about,
    load_settings,
    read_settings,
    variable,
)
from orchestration.warehouse.fingerprints import fingerprint


@pytest.fixture
def variables(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, object]:
    """The variables of a dbt_project.yml that a test may change, by calling `save`."""
    monkeypatch.setattr(settings, "PROJECT", tmp_path)
    return {
        "reporting_time_zone": "UTC",
        "session_idle_minutes": 30,
        "gateway_addresses": [],
        "shared_keys": ["default_user_id", "svc-*"],
        "hide_users": False,
        "retention_days": 0,
    }


def save(variables: dict[str, object]) -> None:
    (settings.PROJECT / "dbt_project.yml").write_text(yaml.safe_dump({"vars": variables}))


WRONG = [
    ("reporting_time_zone", "Mars/Olympus_Mons"),
    ("reporting_time_zone", "europe/berlin"),
    ("reporting_time_zone", "Europe"),
    ("reporting_time_zone", "../UTC"),
    ("reporting_time_zone", "+02:00"),
    ("reporting_time_zone", ""),
    ("session_idle_minutes", "soon"),
    ("session_idle_minutes", "0"),
    ("session_idle_minutes", "-5"),
    ("session_idle_minutes", "2.5"),
    ("session_idle_minutes", "²"),
    ("session_idle_minutes", "10' or 1=1"),
    ("session_idle_minutes", "99999999999999999999"),
    ("session_idle_minutes", ""),
    ("gateway_addresses", "litellm"),
    ("gateway_addresses", ":4000"),
    ("gateway_addresses", "litellm:"),
    ("gateway_addresses", "litellm:http"),
    ("gateway_addresses", "http://litellm:4000"),
    ("gateway_addresses", "litellm:4000/v1"),
    ("gateway_addresses", "it's:4000"),
    ("gateway_addresses", "good:4000,bad"),
    ("shared_keys", "svc-*,it's"),
    ("shared_keys", 'svc-*,"bots"'),
    ("shared_keys", "x" * 257),
    ("hide_users", "perhaps"),
    ("hide_users", ""),
    ("retention_days", "a year"),
    ("retention_days", "-1"),
    ("retention_days", "1.5"),
    ("retention_days", "²"),
    ("retention_days", ""),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_setting_is_named_wherever_it_was_made(
    variables: dict[str, object], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    save(variables)
    monkeypatch.setenv(f"AI_USAGE_{name.upper()}", value)
    with pytest.raises(UserError) as environment:
        load_settings()
    monkeypatch.delenv(f"AI_USAGE_{name.upper()}")
    save(variables | {name: value})
    with pytest.raises(UserError) as project:
        load_settings()
    for error in (environment, project):
        text = str(error.value)
        assert text.startswith(name)
        assert repr(value.split(",")[-1]) in text
        assert f"Set it in dbt_project.yml or AI_USAGE_{name.upper()} to" in text


def test_the_environment_wins_over_the_project(
    variables: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    variables["reporting_time_zone"] = "Asia/Kolkata"
    variables["gateway_addresses"] = ["litellm.acme.example:4000", "[::1]:4000"]
    save(variables)
    read = load_settings()
    assert read.reporting_time_zone == "Asia/Kolkata"
    assert read.session_idle_minutes == 30
    assert read.gateway_addresses == ["litellm.acme.example:4000", "[::1]:4000"]
    assert read.shared_keys == ["default_user_id", "svc-*"]

    monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", " America/St_Johns ")
    monkeypatch.setenv("AI_USAGE_SESSION_IDLE_MINUTES", "45")
    monkeypatch.setenv("AI_USAGE_GATEWAY_ADDRESSES", "a:1, b:2,")
    read = load_settings()
    assert read.reporting_time_zone == "America/St_Johns"
    assert read.session_idle_minutes == 45
    assert read.gateway_addresses == ["a:1", "b:2"]
    monkeypatch.setenv("AI_USAGE_GATEWAY_ADDRESSES", "")
    assert load_settings().gateway_addresses == []


WRONG_IN_THE_ENVIRONMENT = [
    ("memory_limit", "much"),
    ("accept_changes", "perhaps"),
    ("dagster_port", "0"),
    ("page_port", "65536"),
    ("page_port", "http"),
    ("litellm_overlap_hours", "two days"),
    ("litellm_overlap_hours", "-1"),
    ("alert_webhook_format", "teams"),
]
# Where a password may have been put, nothing is shown.
WRONG_AND_MAYBE_SECRET = [
    ("landing_url", "s3://key:secret-word@bucket/landing"),
    ("publish_url", "https://secret-word.example/"),
    ("dagster_postgres_url", "postgres://user:secret-word@host/database"),
    ("dagster_postgres_url", "postgresql://user:secret-word@host"),
    ("dagster_postgres_url", "postgresql://user: %secret-word@host/database"),
    ("alert_webhook_url", "hooks.example/secret-word"),
    ("alert_webhook_url", "http://[secret-word"),
    ("sign_in", "a secret-word without a name"),
    ("sign_in", ":a secret-word of some length"),
    ("sign_in", "admin:secret-word"),
    ("smtp_url", "secret-word@mail.example:25"),
    ("smtp_url", "smtp://user:secret-word@mail.example:port"),
]


@pytest.mark.parametrize(("name", "value"), WRONG_IN_THE_ENVIRONMENT + WRONG_AND_MAYBE_SECRET)
def test_a_wrong_setting_of_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(variable(name), value)
    with pytest.raises(UserError) as stopped:
        read_settings()
    said = str(stopped.value)
    assert said.startswith(f"{variable(name)} is ")
    assert "Set it in the environment to" in said
    assert (repr(value) in said) == ("secret-word" not in value)
    # What caused it is kept by Dagster, and would tell it.
    assert "secret-word" not in said
    assert stopped.value.__cause__ is stopped.value.__context__ is None


@pytest.mark.parametrize("name", ["*", "*.example", "a b", "http://a.example", "a.example:80"])
def test_a_host_name_is_a_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("AI_USAGE_HOST_NAMES", f"reports.acme.example,{name}")
    with pytest.raises(UserError) as stopped:
        read_settings()
    assert str(stopped.value).startswith(f"AI_USAGE_HOST_NAMES has {name!r}. Set it in")


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_USAGE_RETENTION_DAYS", "a year")
    monkeypatch.setenv("AI_USAGE_PAGE_PORT", "http")
    monkeypatch.setenv("AI_USAGE_PAGEPORT", "8001")
    with pytest.raises(UserError) as stopped:
        read_settings()
    assert [line.split(" is ")[0] for line in str(stopped.value).splitlines()] == [
        "AI_USAGE_PAGEPORT",
        "retention_days",
        "AI_USAGE_PAGE_PORT",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("AI_USAGE_RETENTION_DAY", "Did you mean AI_USAGE_RETENTION_DAYS?"),
        ("AI_USAGE_retention_days", "Did you mean AI_USAGE_RETENTION_DAYS?"),
        ("ai_usage_hiding_key", "Did you mean AI_USAGE_HIDING_KEY?"),
        ("AI_USAGE_XYZZY", "docs/operations.md lists all of them."),
        ("AI_USAGE_", "docs/operations.md lists all of them."),
    ],
)
def test_a_name_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setenv(name, "90")
    with pytest.raises(UserError) as stopped:
        read_settings()
    assert str(stopped.value) == f"{name} is no setting. {said}"


def test_variables_of_dbt_that_are_an_analysts_own(variables: dict[str, object]) -> None:
    plain = variables.copy()
    save(plain)
    expected = read_settings()
    # `home` is a setting, but of the environment alone.
    save(variables | {"fiscal_year_starts_in": 4, "home": "here", "hiding_key": "secret-word"})
    assert read_settings() == expected
    del plain["retention_days"]
    save(plain)
    with pytest.raises(UserError, match=r"^retention_days is missing in vars of dbt_project.yml"):
        read_settings()


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_settings()
    for name, field in Settings.model_fields.items():
        if not field.is_required():
            monkeypatch.setenv(variable(name), " ")
    assert read_settings() == expected


def test_secrets_show_nowhere_and_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "hiding_key": " secret-word with spaces ",
        "dagster_postgres_url": "postgresql://user:secret-word@host/database",
        "litellm_database_url": "postgresql://user:secret-word@host/database",
        "alert_webhook_url": "https://hooks.example/secret-word",
        "smtp_url": "smtps://user:secret-word@mail.example:465",
        "sign_in": "admin: a secret-word of some length ",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(variable(name), value)
    read = read_settings()
    assert {name: getattr(read, name).get_secret_value() for name in secrets} == secrets
    shown = (repr(read), str(read), read.model_dump_json(), repr(read.what_changes_tables()))
    assert not [text for text in shown if "secret-word" in text]


ANOTHER = {
    "reporting_time_zone": "Asia/Kolkata",
    "session_idle_minutes": 45,
    "gateway_addresses": ["litellm:4000"],
    "shared_keys": ["bot-*"],
    "hide_users": True,
    "hiding_key": SecretStr("another secret of some length"),
}


def test_each_setting_says_whether_it_changes_tables(warehouse: Warehouse) -> None:
    """What says so changes the fingerprint, without which there is "nothing new"."""
    present = warehouse.settings
    for name, field in Settings.model_fields.items():
        assert sum(isinstance(said, Setting) for said in field.metadata) == 1, name
        # An empty home is like any other. Of those that change no table nothing else is read.
        other = present.model_copy(update={name: ANOTHER.get(name, Path("another"))})
        is_other = fingerprint(other) != fingerprint(present)
        assert is_other == (name in ANOTHER) == about(name).changes_tables, name


def test_whatever_sql_reads_changes_tables() -> None:
    sql = [*PROJECT.glob("models/**/*.sql"), *PROJECT.glob("macros/*.sql")]
    read = {
        name
        for path in sql
        for name in re.findall(r"""\bsetting\(["'](\w+)|getvariable\('(\w+)""", path.read_text())
    }
    names = {first or second for first, second in read}
    assert names == {name for name in Settings.model_fields if about(name).changes_tables}


def test_only_settings_read_the_environment() -> None:
    """Others may set what the libraries beneath them read, and hand all of it on to a program."""
    for path in PROJECT.glob("orchestration/**/*.py"):
        if path == PROJECT / "orchestration/settings.py":
            continue
        tree = ast.parse(path.read_text())
        not_read = [
            node.left if isinstance(node, ast.BinOp) else node.value
            for node in ast.walk(tree)
            if (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store))
            or (isinstance(node, ast.Attribute) and node.attr == "setdefault")
            or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr))
        ]
        named = [
            node
            for node in ast.walk(tree)
            if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"))
            or (isinstance(node, ast.alias) and node.name in ("environ", "environb", "getenv"))
        ]
        lines = [node.lineno for node in named if node not in not_read]
        assert not lines, f"{path}, lines {lines}: take it from orchestration/settings.py"


def test_every_name_that_is_written_anywhere_is_a_setting() -> None:
    """But for tests, which try wrong ones."""
    listed = subprocess.run(
        ["git", "ls-files", ":!tests"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    known = {variable(name) for name in Settings.model_fields}
    for name in listed.stdout.split():
        path = PROJECT / name
        if path.is_symlink() or path.suffix in (".gz", ".png"):
            continue
        named = set(re.findall(r"AI_USAGE_[A-Z_]*[A-Z]\b", path.read_text(errors="replace")))
        assert named <= known, f"{name}: {named - known}"


def test_the_table_in_the_docs_has_all_settings() -> None:
    text = (PROJECT / "docs/operations.md").read_text()
    section = text.split("\n## Settings\n")[1].split("\n## ")[0]
    listed = re.findall(r"^\| `AI_USAGE_(\w+)` \| (?:`(.*?)`)? ?\| .+ \|$", section, re.MULTILINE)
    variables = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]

    def default(name: str) -> str:
        field = Settings.model_fields[name]
        value = variables[name] if field.is_required() else field.get_default()
        if name == "home":
            value = "data"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, list):
            return ",".join(value)
        return "" if value is None else str(value)

    assert listed == [(name.upper(), default(name)) for name in Settings.model_fields]


def test_who_has_no_home_is_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr(os, "environ", {"DBT_TARGET": "prod", "AI_USAGE_HOME": "/srv"})
    settings.leave_out_the_users(["not begun anew"])
    assert os.environ == {"AI_USAGE_HOME": "/srv", "HOME": "/nonexistent"}


@pytest.mark.parametrize("name", ["data [1]", "data*", "what?", "no#1", "100%41", "~nobody-at-all"])
def test_a_home_in_whose_name_others_read_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """DuckDB would find no files in it, and Dagster neither its own nor what we tell it."""
    path = name if name.startswith("~") else str(tmp_path / name)
    monkeypatch.setenv("AI_USAGE_HOME", path)
    with pytest.raises(UserError) as error:
        load_settings()
    assert str(error.value).startswith(f"AI_USAGE_HOME is {path!r}. Set it in the environment to a")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["it's", "project [1]"])
def test_a_checkout_that_dbt_cannot_read_is_named(
    variables: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setattr(settings, "PROJECT", tmp_path / name)
    save(variables)
    with pytest.raises(UserError) as error:
        read_settings()
    assert str(error.value).startswith(f"The project lies in {tmp_path / name}. Move it to")


@pytest.mark.parametrize("in_the_way", ["home", "home/landing", "home/raw", "home/published"])
def test_a_home_that_cannot_be_written_in_is_named(
    warehouse: Warehouse, tmp_path: Path, in_the_way: str
) -> None:
    path = tmp_path / in_the_way
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file where a folder belongs")
    with pytest.raises(UserError) as error:
        load_settings()
    assert str(error.value).startswith(f"AI_USAGE_HOME: cannot write in {warehouse.home}")
    assert path.read_text() == "a file where a folder belongs"


def test_a_home_is_made_with_its_folders_and_told_to_dbt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Path.cwd()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AI_USAGE_HOME", "new/home of 'all'")
    home = load_settings().home
    monkeypatch.chdir(project)
    assert home == (tmp_path / "new" / "home of 'all'").resolve()
    assert os.environ["AI_USAGE_HOME"] == str(home)
    assert {folder.name for folder in home.iterdir()} == {"landing", "raw", "published", "tmp"}


SETTINGS = ("reporting_time_zone", "session_idle_minutes", "gateway_addresses", "shared_keys")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        dict(zip(SETTINGS, ("America/St_Johns", "45", "a.example:1,b:2", "bot-*,x"), strict=True)),
    ],
    ids=["dbt_project.yml", "environment"],
)
def test_dbt_reads_the_same_settings(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"AI_USAGE_{name.upper()}", value)
    inline = "|".join('{{ setting("' + name + '") }}' for name in SETTINGS)
    printed = warehouse.dbt("compile", "--inline", f"select '<<{inline}>>'")
    by_dbt = printed.split("<<")[1].split(">>")[0].split("|")
    read = warehouse.settings
    assert by_dbt == [
        read.reporting_time_zone,
        str(read.session_idle_minutes),
        ",".join(read.gateway_addresses),
        ",".join(read.shared_keys),
    ]
    assert by_dbt == [environment.get(name, by_dbt[i]) for i, name in enumerate(SETTINGS)]

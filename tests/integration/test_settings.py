"""A wrong setting is named, with what is allowed; dbt and Python read the same values."""

import os
from pathlib import Path

import pytest
import yaml
from conftest import Warehouse

from orchestration import settings
from orchestration.settings import UserError, load_settings


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

    monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", " America/St_Johns ")
    monkeypatch.setenv("AI_USAGE_SESSION_IDLE_MINUTES", "45")
    monkeypatch.setenv("AI_USAGE_GATEWAY_ADDRESSES", "a:1, b:2,")
    read = load_settings()
    assert read.reporting_time_zone == "America/St_Johns"
    assert read.session_idle_minutes == 45
    assert read.gateway_addresses == ["a:1", "b:2"]
    monkeypatch.setenv("AI_USAGE_GATEWAY_ADDRESSES", "")
    assert load_settings().gateway_addresses == []


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


SETTINGS = ("reporting_time_zone", "session_idle_minutes", "gateway_addresses")


@pytest.mark.parametrize(
    "environment",
    [{}, dict(zip(SETTINGS, ("America/St_Johns", "45", "a.example:1,b:2"), strict=True))],
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
    ]
    assert by_dbt == [environment.get(name, by_dbt[i]) for i, name in enumerate(SETTINGS)]

"""A version is compared with the one that was published before, and blocked if it has lost."""

import contextlib
import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse

from orchestration.ingestion import ingest
from orchestration.ingestion.damage import refuse_damage
from orchestration.privacy.erasure import erase_version_before
from orchestration.publication import roll_back
from orchestration.publication.build import published_build
from orchestration.publication.history import refuse_lost_history
from orchestration.settings import UserError
from orchestration.sources import SOURCES
from orchestration.warehouse.project import project, public_models
from orchestration.warehouse.rebuild import mark_for_rebuild

pytestmark = pytest.mark.slow

TODAY = datetime.now(UTC).date()


def land_days(warehouse: Warehouse, first: date, days: int, requests: int, name: str) -> None:
    """A file of so many requests a day, from gateway, of 30 tokens each."""
    lines = [
        json.dumps(
            {"request_id": f"{name} {day} {number}", "provider": "openai", "model": "gpt-4o"}
            | {"requested_at": f"{first + timedelta(day)}T12:00:00Z", "user_id": "ann"}
            | {"input_tokens": 20, "output_tokens": 10}
        )
        for day in range(days)
        for number in range(requests)
    ]
    warehouse.write(f"gateway/{name}.jsonl", "\n".join(lines))


def change(warehouse: Warehouse, sql: str) -> None:
    """Damage the warehouse behind everybody's back."""
    with duckdb.connect(str(warehouse.home / "warehouse.duckdb")) as connection:
        connection.execute(sql)


@pytest.fixture(scope="module")
def sixty_days(tmp_path_factory: pytest.TempPathFactory, dbt_target: Path) -> Warehouse:
    """Ten requests a day, the last of them yesterday, are published."""
    with pytest.MonkeyPatch.context() as patch:
        warehouse = Warehouse(tmp_path_factory.mktemp("sixty_days") / "home", dbt_target)
        patch.setenv("AI_USAGE_HOME", str(warehouse.home))
        land_days(warehouse, TODAY - timedelta(60), 60, 10, "sixty days")
        warehouse.rebuild()
    return warehouse


@pytest.fixture
def published(sixty_days: Warehouse, warehouse: Warehouse) -> Warehouse:
    """The same in a home of the test's own."""
    shutil.copytree(sixty_days.home, warehouse.home, symlinks=True)
    assert published_build(warehouse.settings).warnings == []
    return warehouse


LOSE_TOKENS = "update usage.usage_by_day set total_tokens = 290 where usage_date = current_date - 9"


def test_lost_tokens_block(published: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (published.home / "published/current").readlink()
    change(published, LOSE_TOKENS)
    with pytest.raises(UserError) as said:
        published.publish()
    assert f"usage_date {TODAY - timedelta(9)}, tokens_lost 10" in str(said.value)
    assert "What was published before still stands" in str(said.value)
    assert (published.home / "published/current").readlink() == before
    assert len(list((published.home / "published/versions").iterdir())) == 1

    monkeypatch.setenv("AI_USAGE_ACCEPT_CHANGES", "1")
    published.publish()
    assert published.published(
        f"select total_tokens from usage.usage_by_day where usage_date = '{TODAY}'::date - 9"
    ) == [(290,)]


def test_a_day_that_is_gone_and_an_emptied_table_block(published: Warehouse) -> None:
    change(published, "delete from usage.usage_by_day where usage_date = current_date - 3")
    with pytest.raises(UserError, match=f"usage_date {TODAY - timedelta(3)}, tokens_lost 300"):
        published.publish()
    change(published, "delete from cost.time_of_use")
    with pytest.raises(
        UserError, match=r"table_name cost.time_of_use, rows_before \d+, rows_now 0"
    ):
        published.publish()


def test_fewer_tokens_may_follow_from_what_landed(published: Warehouse) -> None:
    """Here a later record of the same request says less; and days in another zone are others."""
    land_days(published, TODAY - timedelta(9), 1, 10, "sixty days again")
    published.ingest()
    published.build()
    change(published, LOSE_TOKENS)
    published.publish()


def test_figures_that_other_code_makes_wait_for_a_word(
    published: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a day for which something has landed since are no other code's."""
    for day in (9, 5):
        change(
            published,
            f"""
            update core.int_requests set input_uncached_tokens = input_uncached_tokens + 1
            where usage_date = current_date - {day};
            update core.int_usage_hourly set total_tokens = total_tokens + requests
            where usage_date = current_date - {day};
            """,
        )
    with pytest.raises(UserError) as said:
        published.publish(code="other")
    assert "source gateway, changed_days 2, more_requests 0, more_tokens 20" in str(said.value)
    land_days(published, TODAY - timedelta(9), 1, 1, "since")
    # What fills in the past keeps the times of its files.
    os.utime(published.landing / "gateway/since.jsonl", (0, 1_700_000_000))
    published.ingest()
    with pytest.raises(UserError, match="changed_days 1, more_requests 0, more_tokens 10"):
        published.publish(code="other")
    monkeypatch.setenv("AI_USAGE_ACCEPT_CHANGES", "1")
    published.publish(code="other")
    monkeypatch.delenv("AI_USAGE_ACCEPT_CHANGES")
    published.publish(code="other")


def test_changed_settings_are_not_taken_for_a_loss(
    published: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", "Pacific/Kiritimati")  # 14 hours ahead
    published.rebuild()
    days = "select min(usage_date) from usage.usage_by_day"
    assert published.published(days) == [(TODAY - timedelta(59),)]


@pytest.mark.parametrize(("requests", "how_many"), [(1, "far fewer"), (90, "far more")])
def test_unusual_volume_is_a_warning(published: Warehouse, requests: int, how_many: str) -> None:
    yesterday = TODAY - timedelta(1)
    where = f"where usage_date = '{yesterday}'"
    change(published, f"update usage.usage_by_day set requests = {requests} {where}")
    published.publish()
    [warning] = published_build(published.settings).warnings
    assert warning.startswith(f"{how_many} requests than on this weekday in the weeks before: ")
    assert f"usage_date {yesterday}, requests {requests}, " in warning


def test_a_source_that_falls_silent_is_a_warning(published: Warehouse) -> None:
    last = TODAY - timedelta(6)
    change(published, f"delete from technical.data_quality where usage_date > '{last}'")
    published.publish()
    [warning] = published_build(published.settings).warnings
    assert f"source gateway, last_date {last}, silent_days 6" in warning


def test_fewer_events_are_no_news(published: Warehouse) -> None:
    change(published, LOSE_TOKENS)
    fewer = "update technical.data_quality set events_received = events_received - 1"
    change(published, f"{fewer} where usage_date = current_date - 9")
    with pytest.raises(UserError, match=f"usage_date {TODAY - timedelta(9)}, tokens_lost 10"):
        published.publish()


def test_lost_entries_of_the_ledger_are_told_and_accepted_on_a_word(
    published: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still in raw/ stays, though landing/ was cleared, and gets its entry again."""
    refuse_lost_history(published.settings)
    shutil.rmtree(published.landing)
    (entry,) = published.raw.glob("loads/*.parquet")
    entry.unlink()
    before = {path for path in published.raw.rglob("*") if path.is_file()}
    with pytest.raises(UserError) as said:
        refuse_lost_history(published.settings)
    assert f"the load {entry.stem} of " in str(said.value)
    assert "600 events of 1 landed files: its entry" in str(said.value)
    assert "of its events 60 files are still in raw/" in str(said.value)
    assert "nothing has landed that the ledger does not know" in str(said.value)
    assert {path for path in published.raw.rglob("*") if path.is_file()} == before

    monkeypatch.setenv("AI_USAGE_ACCEPT_CHANGES", "1")
    refuse_lost_history(published.settings)
    refuse_damage(published.settings)
    published.rebuild()
    assert published.published("select count(*) from core.fct_requests") == [(600,)]
    monkeypatch.delenv("AI_USAGE_ACCEPT_CHANGES")
    refuse_lost_history(published.settings)
    land_days(published, TODAY - timedelta(60), 60, 10, "sixty days")
    assert published.ingest()["gateway"].files == 1  # of what size it was is not known any more


def test_a_load_that_is_gone_is_told(published: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after it was rolled back; and what nobody has lost is none: what was read again."""
    shutil.copytree(published.raw, published.home / "backup")
    land_days(published, TODAY - timedelta(2), 1, 5, "more")
    published.ingest()
    published.publish()
    roll_back(published.settings)
    refuse_lost_history(published.settings)
    shutil.rmtree(published.raw)
    (published.home / "backup").rename(published.raw)
    with pytest.raises(UserError) as said:
        refuse_lost_history(published.settings)
    assert "5 events of 1 landed files: nothing of it is left in raw/" in str(said.value)
    assert "raw/ is older than what is published" in str(said.value)
    assert "1 files may be of these, such as gateway/more.jsonl" in str(said.value)
    published.ingest()
    monkeypatch.setenv("AI_USAGE_ACCEPT_CHANGES", "1")
    refuse_lost_history(published.settings)
    published.publish()
    monkeypatch.delenv("AI_USAGE_ACCEPT_CHANGES")
    refuse_lost_history(published.settings)

    (source,) = (source for source in SOURCES if source.name == "gateway")
    ingest(published.settings, replace(source, reading=source.reading + 1))
    assert all(path.stem.endswith("-1") for path in published.raw.glob("loads/*.parquet"))
    refuse_lost_history(published.settings)


def test_an_entry_that_has_changed_is_damaged_and_nothing_is_lost(
    published: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = published.raw.glob("loads/*.parquet")
    content = entry.read_bytes()
    entry.write_bytes(content.replace(entry.stem.encode(), b"0" + entry.stem.encode()[1:]))
    assert entry.read_bytes() != content
    for accepts in ("0", "1"):
        monkeypatch.setenv("AI_USAGE_ACCEPT_CHANGES", accepts)
        with pytest.raises(UserError, match=f"{entry.name} .*another digest") as said:
            refuse_lost_history(published.settings)
        assert "nothing of it is left" not in str(said.value)


def test_an_archived_day_that_is_gone_is_told(published: Warehouse) -> None:
    folder = published.home / "archive/2020-01-01"
    folder.mkdir(parents=True)
    zone = {"reporting_time_zone": "UTC"}
    (folder / "archive.json").write_text(json.dumps(zone))
    published.publish()
    refuse_lost_history(published.settings)
    shutil.rmtree(folder)
    with pytest.raises(UserError, match="archive/2020-01-01 is gone"):
        refuse_lost_history(published.settings)


def test_roll_back(published: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    home, count = published.home / "published", "select count(*) from core.fct_requests"
    first = published_build(published.settings)
    land_days(published, TODAY - timedelta(2), 1, 5, "more")
    published.rebuild()
    wrong = (home / "current").resolve()
    assert published.published(count) == [(605,)]
    with duckdb.connect(str(home / "reports.duckdb"), read_only=True) as reader:
        assert roll_back(published.settings) == first
        assert published.published(count) == [(600,)]
        assert (home / "page").resolve() == (home / "current").resolve() / "page"
        # Never forward to the one that was wrong, which who has it open may read to the end.
        with pytest.raises(UserError, match=f"no version before the one of {first.built_at}"):
            roll_back(published.settings)
        assert published_build(published.settings) == first
        assert reader.execute(count).fetchall() == [(605,)]
    # The next version is compared with the right one, comes before no other, and clears up.
    change(published, f"delete from usage.usage_by_day where usage_date = '{TODAY}'::date - 60")
    with pytest.raises(UserError, match=f"usage_date {TODAY - timedelta(60)}, tokens_lost 300"):
        published.publish()
    monkeypatch.setenv("AI_USAGE_ACCEPT_CHANGES", "1")
    published.publish()
    assert not wrong.exists()
    assert len(list((home / "versions").iterdir())) == 2
    assert roll_back(published.settings) == first
    # Whoever is forgotten is in none that was left behind.
    erase_version_before(published.settings)
    assert list((home / "versions").iterdir()) == [(home / "current").resolve()]


@pytest.mark.parametrize("step", ["orchestration.publication._point", "pathlib.Path.unlink"])
def test_a_rollback_that_is_cut_off(
    published: Warehouse, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Said again it goes on, and no further."""
    first = published_build(published.settings)
    published.publish()

    def cut_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(step, cut_off)
        roll_back(published.settings)
    with contextlib.suppress(UserError):
        roll_back(published.settings)
    assert published_build(published.settings) == first
    with pytest.raises(UserError, match="There is no version before"):
        roll_back(published.settings)


def test_nothing_to_roll_back_to(published: Warehouse, warehouse: Warehouse) -> None:
    with pytest.raises(UserError, match="There is no version before"):
        roll_back(published.settings)
    shutil.rmtree(published.home / "published")
    with pytest.raises(UserError, match="There is no version before in"):
        roll_back(published.settings)


def test_nobody_writes_in_what_is_published(published: Warehouse) -> None:
    """Whether all of it is made anew or a day is replaced in a copy."""
    for n in range(3):
        (file,) = (published.home / "published/current").resolve().glob("*.duckdb")
        assert file.stat().st_mode & 0o777 == 0o444
        land_days(published, TODAY - timedelta(2), 1, 5, f"more {n}")
        published.rebuild()


def test_a_report_that_is_gone_is_named_once(published: Warehouse) -> None:
    assert published.published("select count(*) from technical.errors_by_type") == [(0,)]
    models = [
        model
        for model in public_models(project())
        if model["name"] not in ("time_of_use", "errors_by_type")
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("conftest.public_models", lambda _: models)
        published.publish()
        [warning] = published_build(published.settings).warnings
        assert warning.startswith("no longer published, since the project has no such model any")
        assert ": cost.time_of_use, technical.errors_by_type. " in warning
        published.publish()
        assert published_build(published.settings).warnings == []


def test_days_are_rebuilt_on_demand(published: Warehouse) -> None:
    """A day that somebody has damaged is made anew, and no other."""
    built = (
        "select usage_date, min(built_at), count(*) from core.int_requests group by 1 order by 1"
    )
    before = published.query(built)
    first, last = TODAY - timedelta(20), TODAY - timedelta(18)
    change(published, "delete from core.int_requests where request_id like '% 41 %'")
    mark_for_rebuild(published.settings, str(first), str(last))
    published.build()
    after = published.query(built)
    assert [day for day, *_ in after] == [day for day, *_ in before]
    rebuilt = [new[0] for old, new in zip(before, after, strict=True) if new[1] != old[1]]
    assert rebuilt == [first, first + timedelta(1), last]
    assert {count for *_, count in after} == {10}


def test_days_of_a_warehouse_of_an_earlier_release_can_be_marked(warehouse: Warehouse) -> None:
    """It lacks the column that holds the mark; the next run builds all of it anew anyway."""
    warehouse.home.mkdir()
    with duckdb.connect(str(warehouse.home / "warehouse.duckdb")) as connection:
        connection.execute(
            "create schema core; "
            "create table core.int_requests as "
            "select date '2026-01-01' as usage_date, 'of old' as version"
        )
    mark_for_rebuild(warehouse.settings, "2026-01-01")
    assert warehouse.query("select count(*) from core.int_requests") == [(1,)]


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-13-01", None, "is written like 2026-01-31"),
        ("2026-02-01", "2026-01-01", "lies before the first"),
    ],
)
def test_days_that_are_none(warehouse: Warehouse, first: str, last: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        mark_for_rebuild(warehouse.settings, first, last)


def test_what_is_odd_about_prices_is_told_once(published: Warehouse) -> None:
    day = TODAY - timedelta(1)

    def land(name: str, **told: object) -> None:
        line = {"request_id": name, "provider": "openai", "requested_at": f"{day}T12:00:00Z"}
        tokens = {"input_tokens": 1_000_000, "output_tokens": 0}
        published.write(f"gateway/{name}.jsonl", json.dumps(line | tokens | told))
        published.rebuild()

    def warned() -> str:
        return "\n".join(published_build(published.settings).warnings)

    land("double", model="gpt-4o", cost_usd=5)
    assert "provider openai, model gpt-4o, likely_cause double was charged" in warned()
    assert "list_cost_usd 2.5, reported_cost_usd 5" in warned()
    assert "seeds/price_overrides.csv" in warned()
    land("of a tier", model="gpt-5", service_tier="Turbo")
    assert "model gpt-5, service_tier turbo, requests_at_unknown_tier 1" in warned()
    assert "seeds/price_factors.csv" in warned()
    assert "gpt-4o" not in warned()
    land("again", model="gpt-4o", cost_usd=5)
    assert warned() == ""

"""More is read of a record than before: what is still there is read again, and once only."""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse
from test_ingestion import CSV_LINE, HEADER, gateway, litellm, otel, rejected

from orchestration.ingestion import ingest, ledger
from orchestration.ingestion.damage import refuse_damage
from orchestration.ingestion.loading import Load
from orchestration.ingestion.loading_again import LoadAgain
from orchestration.ingestion.summary import Summary
from orchestration.settings import UserError
from orchestration.sources import SOURCES
from orchestration.warehouse import archive

SOURCE = {source.name: source for source in SOURCES}
NEW = ("response_id", "updated_at", "end_user_id")
COLUMNS = "landing_file, request_id, response_id"


def take_in(warehouse: Warehouse, reading: int = 2, source: str = "gateway") -> Summary:
    return ingest(warehouse.settings, dataclasses.replace(SOURCE[source], reading=reading))


def rewrite(path: Path, select: str = "*", where: str = "true") -> None:
    query = f"select {select} from read_parquet('{path}', hive_partitioning = false) where {where}"
    duckdb.sql(f"copy ({query}) to '{path}.new' (format parquet)")
    Path(f"{path}.new").replace(path)


def as_an_earlier_version_left_it(warehouse: Warehouse) -> None:
    """Fewer columns in raw/, and a ledger that says nothing of how it was read, nor of digests."""
    for path in warehouse.raw.glob("gateway/*/*.parquet"):
        rewrite(path, f"* exclude ({', '.join(NEW)})")
    for path in warehouse.raw.glob("loads/*.parquet"):
        rewrite(path, "* exclude (reading, records_of_other_kinds)")
        path.with_suffix(".sha256").unlink()


def land(warehouse: Warehouse, name: str, *ids: str, **fields: object) -> Path:
    records = (gateway(key, response_id=f"answer-{key}", **fields) for key in ids)
    return warehouse.write(f"gateway/{name}", "\n".join(records))


@pytest.fixture
def before(warehouse: Warehouse) -> Warehouse:
    """Two loads of an earlier version: of three files, one with a bad record, and of one."""
    land(warehouse, "a.jsonl", "a1", "a2")
    land(warehouse, "b.jsonl", "b1", requested_at="2025-11-02T12:00:00Z")
    bad = [gateway("c1", response_id="answer-c1"), gateway("c2", "model")]
    warehouse.write("gateway/c.jsonl", "\n".join(bad))
    take_in(warehouse, 1)
    land(warehouse, "d.jsonl", "d1")
    take_in(warehouse, 1)
    as_an_earlier_version_left_it(warehouse)
    return warehouse


def events(*told: str, without: str = "") -> list[tuple]:
    """What raw/ should have: of files that are gone no id of the answer."""
    found = [(f"gateway/{key[0]}.jsonl", key, f"answer-{key}") for key in told]
    found += [(f"gateway/{key[0]}.jsonl", key, None) for key in without.split()]
    return sorted(found, key=lambda row: (*row[:2], row[2] is None))


def received(warehouse: Warehouse) -> list[tuple]:
    return duckdb.sql(
        f"""
        select landing_file, reading, events_received, events_accepted, events_rejected
        from read_parquet('{warehouse.raw}/loads/*.parquet', union_by_name = true) order by all
        """
    ).fetchall()


def rows(warehouse: Warehouse, source: str = "gateway", columns: str = COLUMNS) -> list[tuple]:
    """What raw/ has, whatever of the columns each file has."""
    files = f"read_parquet('{warehouse.raw}/{source}/*/*.parquet', union_by_name = true)"
    return duckdb.sql(f"select {columns} from {files} order by all").fetchall()


def test_all_that_is_there_is_read_again_once(before: Warehouse) -> None:
    summary = take_in(before)
    assert (summary.files, summary.files_again, summary.gone) == (0, 4, 0)
    assert "4 files taken in before were read again" in summary.sentence()
    assert rows(before) == events("a1", "a2", "b1", "c1", "d1")
    assert rejected(before, "landing_file, reason") == [("gateway/c.jsonl", "model is missing")]
    assert received(before) == [
        ("gateway/a.jsonl", 2, 2, 2, 0),
        ("gateway/b.jsonl", 2, 1, 1, 0),
        ("gateway/c.jsonl", 2, 2, 1, 1),
        ("gateway/d.jsonl", 2, 1, 1, 0),
    ]
    assert len(list(before.raw.glob("loads/*.parquet"))) == 2
    assert len(list(before.raw.glob("validations/*"))) == 2
    assert take_in(before).sentence() == "nothing new"


def test_of_what_is_gone_there_is_what_there_was(before: Warehouse) -> None:
    for name in "bcd":
        (before.landing / f"gateway/{name}.jsonl").unlink()
    land(before, "e.jsonl", "e1")
    summary = take_in(before)
    assert (summary.files, summary.files_again, summary.gone) == (1, 1, 3)
    said = "3 files taken in before are no longer in landing/: what they did not tell then stays"
    assert said in summary.sentence()
    assert rows(before) == events("a1", "a2", "e1", without="b1 c1 d1")
    assert rejected(before, "landing_file, reason") == [("gateway/c.jsonl", "model is missing")]
    assert received(before) == [
        ("gateway/a.jsonl", 2, 2, 2, 0),
        ("gateway/b.jsonl", None, 1, 1, 0),
        ("gateway/c.jsonl", None, 2, 1, 1),
        ("gateway/d.jsonl", None, 1, 1, 0),
        ("gateway/e.jsonl", 2, 1, 1, 0),
    ]
    # It is told once, and once more only when yet more is read.
    assert take_in(before).sentence() == "nothing new"
    summary = take_in(before, 3)
    assert (summary.files_again, summary.gone) == (2, 3)


def test_all_is_gone(before: Warehouse) -> None:
    kept = rows(before, "gateway", "landing_file, request_id")
    shutil.rmtree(before.landing / "gateway")
    summary = take_in(before)
    assert (summary.files_again, summary.gone) == (0, 4)
    assert rows(before, "gateway", "landing_file, request_id") == kept
    assert take_in(before).sentence() == "nothing new"


def test_what_comes_back_is_read_again(before: Warehouse) -> None:
    path = before.landing / "gateway/a.jsonl"
    path.rename(before.home / "elsewhere")
    assert take_in(before).gone == 1
    (before.home / "elsewhere").rename(path)
    summary = take_in(before)
    assert (summary.files_again, summary.gone) == (1, 0)
    assert rows(before) == events("a1", "a2", "b1", "c1", "d1")
    assert len(list(before.raw.glob("loads/*.parquet"))) == 2


def test_a_file_that_has_changed_is_a_new_one(before: Warehouse) -> None:
    land(before, "a.jsonl", "a1", "a2", "a3")
    summary = take_in(before)
    assert (summary.files, summary.files_again, summary.gone) == (1, 3, 1)
    assert rows(before) == events("a1", "a2", "a3", "b1", "c1", "d1", without="a1 a2")


def test_what_cannot_be_read_now_stays_and_is_tried_again(before: Warehouse) -> None:
    path = before.landing / "gateway/a.jsonl"
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(b"\0" * len(content))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    summary = take_in(before)
    assert (summary.files_again, len(summary.unreadable), summary.gone) == (3, 1, 0)
    assert rows(before) == events("b1", "c1", "d1", without="a1 a2")
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert take_in(before).files_again == 1
    assert rows(before) == events("a1", "a2", "b1", "c1", "d1")


def test_every_format_and_source(warehouse: Warehouse) -> None:
    warehouse.write("gateway/a.csv", f"{HEADER},response_id\nr1,{CSV_LINE},answer-1\n")
    made = warehouse.write("../made.parquet", b"")
    record = "'r2' request_id, timestamp '2025-11-01' requested_at, 'p' provider, 'm' model"
    duckdb.sql(f"copy (select {record}, 'answer-2' as response_id) to '{made}'")
    warehouse.write("gateway/a.parquet", made.read_bytes())
    warehouse.write("gateway/empty.jsonl", "")
    warehouse.write("litellm/a", litellm())
    warehouse.write("otel/a.jsonl", otel())
    for source in SOURCE:
        take_in(warehouse, 1, source)
    as_an_earlier_version_left_it(warehouse)
    kept = {source: rows(warehouse, source, "*") for source in ("litellm", "otel")}
    assert [take_in(warehouse, 2, source).files_again for source in SOURCE] == [3, 1, 1]
    assert rows(warehouse) == [
        ("gateway/a.csv", "r1", "answer-1"),
        ("gateway/a.parquet", "r2", "answer-2"),
    ]
    assert {source: rows(warehouse, source, "*") for source in ("litellm", "otel")} == kept


def test_a_format_that_was_accepted_is_not_judged_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [gateway(str(n), "model") for n in range(40)]
    warehouse.write("gateway/a.jsonl", "\n".join([gateway("r"), *records]))
    monkeypatch.setenv("AI_USAGE_ACCEPT_CHANGES", "1")
    take_in(warehouse, 1)
    monkeypatch.delenv("AI_USAGE_ACCEPT_CHANGES")
    assert take_in(warehouse).files_again == 1
    assert len(rejected(warehouse)) == 40


def test_signals_that_were_bad_records(warehouse: Warehouse) -> None:
    """What an earlier version rejected one by one is passed over now."""
    warehouse.write("otel/a.jsonl", "\n".join([otel(), '{"resourceSpan": []}']))
    take_in(warehouse, 1, "otel")
    path = warehouse.landing / "otel/a.jsonl"
    status = path.stat()
    path.write_text("\n".join([otel(), '{"resourceLogs": []}']))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    summary = take_in(warehouse, 2, "otel")
    assert [records for _, records, _ in summary.others] == [1]
    assert not list(warehouse.raw.glob("rejected/*"))
    assert received(warehouse) == [("otel/a.jsonl", 2, 1, 1, 0)]


@pytest.mark.parametrize("gone", ["", "a", "abcd"])
def test_models_see_nulls_where_files_lack_a_column(before: Warehouse, gone: str) -> None:
    for name in gone:
        (before.landing / f"gateway/{name}.jsonl").unlink()
    take_in(before)
    before.dbt("run", "--select", "stg_gateway__requests")
    with duckdb.connect(str(before.home / "warehouse.duckdb"), read_only=True) as connection:
        told = connection.sql("select call_id, response_id from staging.stg_gateway__requests")
        assert sorted(told.fetchall()) == [
            (key, None if key[0] in gone else f"answer-{key}")
            for key in ("a1", "a2", "b1", "c1", "d1")
        ]


# --- Killed ----------------------------------------------------------------------------------


class KilledError(BaseException):
    pass


def kill(*_: object, **__: object) -> None:
    raise KilledError


def kill_after(function: Callable) -> Callable:
    def run(*arguments: object) -> None:
        function(*arguments)
        raise KilledError

    return run


def kill_after_moving(count: int) -> Callable:
    moved = []

    def move(path: Path, target: Path) -> None:
        if len(moved) == count:
            raise KilledError
        moved.append(path.replace(target))

    return move


KILLS = {
    "before anything is written": (LoadAgain, "write_events", kill),
    "before it is moved": (LoadAgain, "move_into_place", kill),
    **{
        f"when {count} files are moved": ("orchestration.ingestion.loading.move", count)
        for count in range(6)
    },
    "when all is moved": (Load, "move_into_place", kill_after(Load.move_into_place)),
    "when the entry is gone": (ledger, "files_of_load", None),
    "before what is gone is noted": (ledger, "note_gone", kill),
}


@pytest.mark.parametrize("where", KILLS.values(), ids=KILLS)
def test_killed_anywhere_it_is_made_good(
    before: Warehouse, monkeypatch: pytest.MonkeyPatch, where: tuple
) -> None:
    (before.landing / "gateway/b.jsonl").unlink()
    with monkeypatch.context() as patch:
        if len(where) == 2:
            patch.setattr(where[0], kill_after_moving(where[1]))
        elif where[2]:
            patch.setattr(where[0], where[1], where[2])
        else:
            unlink = Path.unlink

            def unlink_the_entry_only(path: Path, missing_ok: bool = False) -> None:
                unlink(path, missing_ok)
                if path.parent.name == "loads":
                    raise KilledError

            patch.setattr(Path, "unlink", unlink_the_entry_only)
        with pytest.raises(KilledError):
            take_in(before)
    take_in(before)
    assert rows(before) == events("a1", "a2", "c1", "d1", without="b1")
    assert rejected(before, "landing_file, reason") == [("gateway/c.jsonl", "model is missing")]
    assert len(list(before.raw.glob("loads/*.parquet"))) == 2
    assert len(list(before.raw.glob("validations/*"))) == 2
    assert not [p for p in (before.raw / ".loading").rglob("*") if p.is_file()]
    refuse_damage(before.settings)
    assert take_in(before).sentence() == "nothing new"


def test_no_space_left(before: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = rows(before, "gateway", "landing_file, request_id")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("orchestration.ingestion.loading.move", full)
        with pytest.raises(UserError, match="No space left"):
            take_in(before)
    assert rows(before, "gateway", "landing_file, request_id") == kept
    assert take_in(before).files_again == 4


# --- Retention -------------------------------------------------------------------------------


def test_days_past_retention_stay_as_they_are(
    warehouse: Warehouse,
) -> None:
    """They are in the archive and in the ledger; of a file that reaches over, only later days."""
    days = [f"2025-11-0{day}T12:00:00Z" for day in range(1, 7)]
    records = [gateway(f"a{day[9]}", response_id="x", requested_at=day) for day in days]
    bad = [json.loads(record) | {"model": None} for record in records]
    both = [*records, *map(json.dumps, bad)]
    warehouse.write("gateway/a.jsonl", "\n".join(both))
    warehouse.write("gateway/b.jsonl", gateway("b1", requested_at=days[0]))
    take_in(warehouse, 1)
    through = warehouse.home / "archive/2025-11-04"
    through.mkdir(parents=True)
    zone = {"reporting_time_zone": warehouse.settings.reporting_time_zone}
    (through / "archive.json").write_text(json.dumps(zone))
    assert str(archive.archived_through(warehouse.settings)) == "2025-11-04"
    # As retention leaves it: of the last day the events stay for a night.
    for day in range(1, 4):
        shutil.rmtree(warehouse.raw / f"gateway/event_date=2025-11-0{day}")
    [path] = warehouse.raw.glob("rejected/*")
    rewrite(path, where="event_at > '2025-11-05'")
    warehouse.write("gateway/late.jsonl", gateway("l1", requested_at=days[0]))
    take_in(warehouse, 1)
    counted = received(warehouse)
    kept = rejected(warehouse, "* exclude (landed_at)")
    as_an_earlier_version_left_it(warehouse)

    summary = take_in(warehouse)
    # Nothing of b.jsonl is left to be known.
    assert (summary.files_again, summary.gone) == (2, 0)
    assert rows(warehouse, "gateway", "request_id, response_id") == [
        ("a4", "x"),
        ("a5", "x"),
        ("a6", "x"),
    ]
    assert rejected(warehouse, "* exclude (landed_at)") == kept
    again = {"gateway/a.jsonl", "gateway/late.jsonl"}
    assert received(warehouse) == [
        (name, 2 if name in again else None, *rest) for name, _, *rest in counted
    ]

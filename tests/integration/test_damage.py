"""What was once taken in stays as it was written: nothing else is removed, and no change unseen."""

import contextlib
import re
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
from conftest import Warehouse
from test_ingestion import counts, gateway, keys

from orchestration import files
from orchestration.digests import replacing_listed
from orchestration.ingestion import ledger, loading
from orchestration.ingestion.damage import damaged_files, digests_of, refuse_damage
from orchestration.settings import UserError


def test_nothing_is_removed_that_no_crash_can_have_left(warehouse: Warehouse) -> None:
    """Events whose entry is lost, and what others have put there."""
    for name in ("a", "b"):
        warehouse.write(f"gateway/{name}.jsonl", gateway(name) + "\n{bad")
        warehouse.ingest()
    for entry in warehouse.raw.glob("loads/*.parquet"):
        entry.unlink()
    (warehouse.raw / "notes.txt").write_text("of the administrator")
    before = {path for path in warehouse.raw.rglob("*") if path.is_file()}
    shutil.rmtree(warehouse.landing)
    warehouse.ingest()
    assert {path for path in warehouse.raw.rglob("*") if path.is_file()} == before
    assert len(ledger.without_entry(warehouse.settings)) == 2
    with pytest.raises(UserError, match=r"(?s)is gone: .*is gone: "):
        refuse_damage(warehouse.settings)


def test_what_fails_while_it_is_moved_leaves_nothing(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is anything taken for events whose entry is lost, if it could not be removed at once."""
    warehouse.write("gateway/a.jsonl", gateway("a"))
    move, remove_load = loading.move, ledger.remove_load

    def full(path: Path, target: Path) -> None:
        if target.parent.name == "loads":
            raise OSError(28, "No space left on device")
        move(path, target)

    def out_of_order(*_: object) -> None:
        raise OSError(5, "Input/output error")

    for remove in (remove_load, out_of_order):
        with monkeypatch.context() as patch:
            patch.setattr(loading, "move", full)
            patch.setattr(ledger, "remove_load", remove)
            if remove is out_of_order:
                patch.setattr(ledger, "remove_unfinished_loads", lambda *_: None)
            with pytest.raises(UserError, match=r"Taking in gateway stopped"):
                warehouse.ingest()
        left = [path for path in warehouse.raw.rglob("*.parquet") if ".loading" not in path.parts]
        assert bool(left) == (remove is out_of_order)
        assert not ledger.without_entry(warehouse.settings)
    assert counts(warehouse.ingest()["gateway"]) == (1, 1, 1, 0)
    assert len(list(warehouse.raw.glob("gateway/*/*"))) == 1


def one_bit(path: Path) -> None:
    """Flip a bit within the values of a Parquet file, where nobody but a digest can see it."""
    whole = path.read_bytes()
    with duckdb.connect() as connection:
        query = f"select min(data_page_offset) from parquet_metadata('{path}')"
        (first,) = connection.execute(query).fetchone()
    for at in range(first, len(whole)):
        flipped = bytearray(whole)
        flipped[at] ^= 1
        path.write_bytes(flipped)
        try:
            with duckdb.connect() as connection:
                connection.execute(f"select sum(hash(columns(*))) from '{path}'")
            return
        except duckdb.Error:
            continue
    raise AssertionError("no bit can be flipped unseen")


def test_a_flipped_bit_is_found_and_what_is_said_of_it_is_true(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which file, what it was made of, what of that is still there, and what brings it back."""
    landed = warehouse.write("gateway/a.jsonl", gateway("a"))
    warehouse.write("gateway/b.jsonl", gateway("b"))
    warehouse.ingest()
    refuse_damage(warehouse.settings)
    (events,) = warehouse.raw.glob("gateway/*/*.parquet")
    (entry,) = warehouse.raw.glob("loads/*.parquet")
    check = ["sha256sum", "--check", "--quiet", entry.with_suffix(".sha256")]
    assert subprocess.run(check, cwd=entry.parent).returncode == 0
    one_bit(events)
    said = damaged_files(warehouse.settings)
    assert f"{events} is damaged: it has another digest than {entry.with_suffix('.sha256')}" in said
    assert "all 2 landed files that it is made of are still there" in said
    landed.rename(warehouse.home / "elsewhere")
    said = damaged_files(warehouse.settings)
    assert "2 landed files such as gateway/a.jsonl, of which 1 are not there any more" in said
    (warehouse.home / "elsewhere").rename(landed)

    events.unlink()
    with pytest.raises(UserError, match=f"{events} is gone"):
        refuse_damage(warehouse.settings)
    monkeypatch.setenv("AI_USAGE_ACCEPT_CHANGES", "1")
    for path in warehouse.landing.glob("gateway/*"):
        path.touch()
    assert counts(warehouse.ingest()["gateway"]) == (2, 2, 2, 0)
    refuse_damage(warehouse.settings)
    monkeypatch.delenv("AI_USAGE_ACCEPT_CHANGES")
    refuse_damage(warehouse.settings)
    assert keys(warehouse) == ["a", "b"]

    (events,) = warehouse.raw.glob("gateway/*/*.parquet")
    one_bit(events)
    (everything,) = re.findall("find .* -delete", damaged_files(warehouse.settings))
    subprocess.run(everything, shell=True, check=True)  # noqa: S602
    assert not list(warehouse.raw.rglob(f"{events.stem.partition('_')[0]}*"))
    assert counts(warehouse.ingest()["gateway"]) == (2, 2, 2, 0)
    assert keys(warehouse) == ["a", "b"]

    entry.write_bytes(b"rubbish")
    with pytest.raises(UserError, match=f"(?s){entry} is damaged: .*delete it and run once"):
        warehouse.ingest()
    one_bit(next(warehouse.raw.glob("gateway/*/*.parquet")))
    assert damaged_files(warehouse.settings).count("is damaged") == 2


def test_files_of_earlier_versions_get_their_digests(warehouse: Warehouse) -> None:
    """Once they are found readable; and copies that somebody has left in raw/ are told."""
    warehouse.write("gateway/a.jsonl", gateway("a"))
    warehouse.ingest()
    (listed,) = warehouse.raw.glob("loads/*.sha256")
    (events,) = warehouse.raw.glob("gateway/*/*.parquet")
    before, whole = listed.read_text(), events.read_bytes()
    listed.unlink()
    events.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=f"{events} is damaged: "):
        refuse_damage(warehouse.settings)
    assert not listed.exists()
    events.write_bytes(whole)
    refuse_damage(warehouse.settings)
    assert listed.read_text() == before
    copy = shutil.copy(events, events.with_stem(f"{events.stem} (1)"))
    with pytest.raises(UserError, match=r"\(1\).parquet is not what ingestion wrote"):
        refuse_damage(warehouse.settings)
    Path(copy).unlink()


def test_a_file_that_is_rewritten_is_known_wherever_a_crash_comes(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.write("gateway/a.jsonl", gateway("a"))
    warehouse.ingest()
    (events,) = warehouse.raw.glob("gateway/*/*.parquet")
    (listed,) = warehouse.raw.glob("loads/*.sha256")
    moves = files.move
    for last in range(4):
        left = last

        def killed(path: Path, target: Path) -> None:
            nonlocal left
            if not left:
                raise KeyboardInterrupt
            left -= 1
            moves(path, target)

        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(files, "move", killed)
            with replacing_listed(events, digests_of(events)) as new:
                new.write_bytes(events.read_bytes() + b"%d" % last)
        refuse_damage(warehouse.settings)
        assert len(listed.read_text().splitlines()) == 2
    assert events.read_bytes().endswith(b"3")

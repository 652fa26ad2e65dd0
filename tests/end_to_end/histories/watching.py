"""Whether what is published is whole, at every moment; and what is left of a person."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
from backports import zstd

TABLES = "select schema_name || '.' || table_name from duckdb_tables()"
UNPACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".zst": zstd.decompress}


class Watcher(threading.Thread):
    """Opens what is published again and again: every time it must be one and the same version."""

    def __init__(self, published: Path) -> None:
        super().__init__()
        self.published, self.is_over = published, threading.Event()
        self.looks, self.faults = 0, list[str]()

    def __enter__(self) -> "Watcher":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self.join()

    def run(self) -> None:
        while not self.is_over.wait(0.1):
            if (self.published / "current").is_symlink():
                try:
                    self.look()
                except (OSError, ValueError, duckdb.Error, AssertionError) as error:
                    self.faults.append(repr(error))

    def look(self) -> None:
        version = (self.published / "current").readlink()
        rows = rows_of(self.published / "reports.duckdb")
        told = json.loads((self.published / "current/build.json").read_text())["tables"]
        self.looks += 1
        if (self.published / "current").readlink() == version:
            assert rows == told, (version, rows, told)


def rows_of(path: Path) -> dict[str, int]:
    """The tables of a database, and their rows."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = sorted(name for (name,) in connection.execute(TABLES).fetchall())
        count = " union all ".join(f"select '{name}', count(*) from {name}" for name in names)
        return dict(connection.execute(count).fetchall())


def files_that_hold(home: Path, text: str) -> Iterator[Path]:
    """Every file that has a text in it: packed, in tables, or as it is."""
    wanted = text.encode()
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if wanted in UNPACK.get(path.suffix, bytes)(content) or wanted in in_tables(path):
                yield path


def in_tables(path: Path) -> bytes:
    if path.suffix not in (".parquet", ".duckdb"):
        return b""
    with duckdb.connect() as connection:
        if path.suffix == ".parquet":
            return connection.sql(f"from read_parquet('{path}')").df().to_csv().encode()
        connection.execute(f"attach '{path}' as it (read_only)")
        tables = connection.execute(f"{TABLES} where database_name = 'it'").fetchall()
        frames = (connection.sql(f"from it.{name}").df() for (name,) in tables)
        return "".join(frame.to_csv() for frame in frames).encode()

"""What was tried, and what came of it: a row of the table that `make faults` ends with."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from test_crashes import assert_published_is_whole, finish
from test_nightly_job import Job


@dataclass
class Tally:
    """How often a fault was tried, and what came of it: rows, versions, and files with a person."""

    fault: str
    tried: int = 0
    lost: int = 0
    doubled: int = 0
    wrongly_published: int = 0
    left: int = 0
    remark: str = ""

    def published(self, job: Job, *allowed: Job) -> None:
        """Count what people can read now, unless it is one of the allowed versions, whole."""
        try:
            assert_published_is_whole(job, *allowed)
        except AssertionError:
            self.wrongly_published += 1

    def compare(self, healed: Path, clean: Path) -> None:
        """Count the rows by which two published databases differ."""
        with duckdb.connect() as connection:
            connection.execute(f"attach '{healed}' as healed (read_only)")
            connection.execute(f"attach '{clean}' as clean (read_only)")
            tables = connection.execute(
                "select schema_name || '.' || table_name from duckdb_tables() "
                "where database_name = 'clean'"
            ).fetchall()
            assert len(tables) > 20
            for (table,) in tables:
                for here, there in (("clean", "healed"), ("healed", "clean")):
                    (rows,) = connection.execute(
                        "select count(*) from "
                        f"(from {here}.{table} except all from {there}.{table})"
                    ).fetchone()
                    if here == "clean":
                        self.lost += rows
                    else:
                        self.doubled += rows

    def heals(self, job: Job, clean: Job) -> str:
        """Run it once, undisturbed, and compare; return what it said."""
        code, said = finish(job)
        assert code == 0, said
        self.published(job, clean)
        self.compare(job.published / "reports.duckdb", clean.published / "reports.duckdb")
        return said

    def stops(self, job: Job, *expected: str) -> str:
        """Run it once, which must fail with these words, and return all that it said."""
        code, said = finish(job)
        assert code == 1, said
        for words in expected:
            assert words in said, said
        return said


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """Nothing lost, nothing twice, nothing wrong published. conftest prints them all."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    tally = Tally(name.replace("[", ": ").rstrip("]"))
    request.node.user_properties.append(("tally", tally.__dict__))
    yield tally
    assert (tally.lost, tally.doubled, tally.wrongly_published, tally.left) == (0, 0, 0, 0)
    assert tally.tried > 0

"""One load: some landed files of one source and one format become Parquet in raw/."""

import shutil
from pathlib import Path

import duckdb
import pandas as pd

from orchestration.digests import digest_of, write_list
from orchestration.files import move, quoted
from orchestration.ingestion import expectations, ledger
from orchestration.ingestion.landed_file import LandingFile
from orchestration.ingestion.reading import (
    land_json,
    land_lines,
    land_parquet,
    register_files,
    type_records,
)
from orchestration.ingestion.schema_drift import judged_fields, new_fields
from orchestration.ingestion.summary import Summary
from orchestration.settings import Settings
from orchestration.sources.source import MACROS, Source
from orchestration.warehouse.archive import kept_of_rejected, query_of_live_days


class Load:
    """Events of files go to raw/, bad records to raw/rejected/, and then the ledger gets its entry.

    All of it is first written in `folder`, which is empty.
    """

    query_of = staticmethod(query_of_live_days)

    def __init__(
        self,
        settings: Settings,
        source: Source,
        files: list[LandingFile],
        load_id: str,
        folder: Path,
    ) -> None:
        """Say what is to be loaded; nothing happens yet."""
        self.source, self.files, self.work = source, files, folder
        self.settings, self.raw, self.id = settings, settings.raw, load_id
        self.query = self.query_of(settings, source)
        self.unreadable: list[tuple[str, str]] = []

    def run(self) -> Summary:
        """Do it.

        Raises:
            UserError: the load did not meet its expectations. Nothing of it is kept.
        """
        temporary = str(self.settings.home / "tmp")
        with duckdb.connect(config={"temp_directory": temporary}) as self.connection:
            self.connection.execute("set TimeZone = 'UTC'")
            self.connection.execute(MACROS)
            for name in ("user_attributes", "team_attributes", "session_attributes"):
                attributes = getattr(self.settings, name)
                self.connection.execute(f"set variable {name} = {attributes}::varchar[]")
            self.clear()
            register_files(self.connection, self.files)
            if not self.write_if_all_is_good():
                self.write_good_and_bad()
            if len(self.unreadable) == len(self.files):
                return Summary(unreadable=self.unreadable)
            self.set_bad_aside()
            self.write_set_aside()
            unknown = new_fields(self.connection, self.settings, self.source, self.files)
            self.connection.register("unknown", unknown)
            profile = self.profile()
            self.judge(profile)
            self.write_entry()
            self.move_into_place()
            return self.summary(profile, unknown["name"].to_list())

    def judge(self, profile: pd.DataFrame) -> None:
        """See that the load is as it should be."""
        file_format = self.files[0].format
        fields = judged_fields(self.connection, self.settings, self.source, file_format)
        expectations.judge_fields(fields, self.id, self.work / f"{self.id}_fields.json")
        expectations.judge_load(profile, self.id, self.work / f"{self.id}.json")

    def summary(self, profile: pd.DataFrame, new_names: list[str]) -> Summary:
        """Say what was done."""
        rejections = self.connection.execute(
            "select landing_file, line_number, reason from rejected order by all limit 3"
        ).fetchall()
        return Summary(
            files=len(self.files) - len(self.unreadable),
            received=int(profile["events_received"].sum()),
            accepted=int(profile["events_accepted"].sum()),
            rejected=int(profile["events_rejected"].sum()),
            rejections=rejections,
            unreadable=self.unreadable,
            others=self.others(),
            new_fields=new_names,
        )

    def others(self) -> list[tuple[int, int, str]]:
        """Return what was passed over, as a summary has it."""
        query = "select kind, records, landing_file from others order by kind, landing_file"
        return self.connection.execute(query).fetchall()

    def clear(self) -> None:
        """Forget what was written."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()

    def write_if_all_is_good(self) -> bool:
        """Let DuckDB read JSON files by itself, which is fast; return False if anything is wrong.

        It cannot tell in which line a fault is, so such a load is read again line by line.
        """
        paths = [file.path for file in self.files if file.size_bytes]
        if not paths or self.files[0].format in (".csv", ".parquet"):
            return False
        try:
            land_json(self.connection, self.source, paths)
            self.write_events(f"({self.query})")
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error:
            return False
        if not any(self.work.rglob("*.parquet")):
            return True
        bad = f"select count(reject_reason) from {self.written}"
        return self.connection.execute(bad).fetchone() == (0,)

    def write_good_and_bad(self) -> None:
        """Read line by line, and part the good events from the bad."""
        self.clear()
        land = land_parquet if self.files[0].format == ".parquet" else land_lines
        self.unreadable = land(self.connection, self.source, self.files)
        type_records(self.connection, self.source, self.query)
        self.write_events("(from typed where reject_reason = '')")

    def set_bad_aside(self) -> None:
        """Make the table `set_aside` of rejected records as they are kept."""
        self.connection.execute(
            f"""
            create temp table set_aside as
            select
                '{self.source.name}' as source,
                rejected.* replace ({kept_of_rejected(self.settings)}),
                files.landed_at
            from rejected
            inner join files using (landing_file)
            """
        )

    def write_set_aside(self) -> None:
        """Write it to a file, if there is anything in it."""
        if len(self.connection.table("set_aside")):
            self.connection.execute(
                f"""
                copy (from set_aside order by landing_file, line_number)
                to '{quoted(self.work)}/rejected.parquet'
                """
            )

    def write_events(self, events: str) -> None:
        """Write the events of a relation, a file for each UTC day."""
        query = f"""
            select
                events.* exclude (line_number, reject_text)
                    replace (nullif(reject_reason, '') as reject_reason),
                files.landed_at
            from {events} as events
            inner join files using (landing_file)
        """
        query += self.other_events(query)
        self.connection.execute(
            f"""
            copy ({query}) to '{quoted(self.work)}/events' (
                format parquet, compression zstd, partition_by (event_date),
                filename_pattern '{self.id}_{{i}}'
            )
            """
        )

    def other_events(self, query: str) -> str:
        """Return SQL for what is written besides the events of the files, as `query` has them."""
        return ""

    @property
    def written(self) -> str:
        """SQL for the events written so far; files without any event leave no Parquet at all."""
        if any((self.work / "events").rglob("*.parquet")):
            return f"read_parquet('{quoted(self.work)}/events/*/*.parquet')"
        return f"(select * from ({self.query}) inner join files using (landing_file) limit 0)"

    def profile(self) -> pd.DataFrame:
        """Make the table `profile`, which enters the ledger; return what expectations judge."""
        query = self.source.profile(self.id, self.written)
        self.connection.execute(f"create temp table profile as {query}")
        return self.connection.execute(
            "select * exclude (events_succeeded, events_with, events_wrong, new_fields) "
            "from profile"
        ).df()

    def write_entry(self) -> None:
        """Write what enters the ledger: a row for each file."""
        self.connection.execute(f"copy profile to '{quoted(self.work)}/{self.id}.parquet'")

    def move_into_place(self) -> None:
        """Move what was written to raw/, the ledger's entry last: with it the load has happened."""
        raw, work = self.raw, self.work
        moves = [
            (path, raw / self.source.name / path.parent.name / path.name)
            for path in sorted((work / "events").glob("*/*.parquet"))
        ]
        moves += [
            (work / "rejected.parquet", ledger.rejected_of_load(self.settings, self.id)),
            (work / f"{self.id}.parquet", ledger.entry(self.settings, self.id)),
        ]
        moves = [(path, target) for path, target in moves if path.exists()]
        listed = ledger.digests(self.settings, self.id)
        digests = {target: {digest_of(path)} for path, target in moves}
        write_list(listed, digests, work / listed.name)
        moves[-1:-1] = [
            *((path, raw / "validations" / path.name) for path in work.glob("*.json")),
            (work / listed.name, listed),
        ]
        for path, target in moves:
            target.parent.mkdir(parents=True, exist_ok=True)
            move(path, target)

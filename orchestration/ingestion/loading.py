"""One load: some landed files of one source and one format become Parquet in raw/."""

import shutil
from pathlib import Path

import duckdb
import pandas as pd

from orchestration.files import move, quoted
from orchestration.ingestion import expectations, ledger
from orchestration.ingestion.landed_file import LandingFile
from orchestration.ingestion.reading import land_json, land_lines, land_parquet
from orchestration.ingestion.schema_drift import judged_fields, new_fields
from orchestration.ingestion.summary import Summary
from orchestration.settings import Settings
from orchestration.sources.source import MACROS, Source
from orchestration.warehouse.archive import kept_of_rejected, query_of_live_days


def load(
    settings: Settings, source: Source, files: list[LandingFile], load_id: str, folder: Path
) -> Summary:
    """Write the events of the files to raw/, the bad records to raw/rejected/, then the ledger.

    All of it is first written in `folder`, which is empty.

    Raises:
        UserError: the load did not meet its expectations. Nothing of it is kept.
    """
    with duckdb.connect(config={"temp_directory": str(settings.home / "tmp")}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(MACROS)
        for name in ("user_attributes", "team_attributes", "session_attributes"):
            connection.execute(f"set variable {name} = {getattr(settings, name)}::varchar[]")
        return _Load(connection, settings, source, files, load_id, folder).run()


class _Load:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        settings: Settings,
        source: Source,
        files: list[LandingFile],
        load_id: str,
        folder: Path,
    ) -> None:
        self.connection, self.source, self.files = connection, source, files
        self.settings, self.raw, self.id = settings, settings.raw, load_id
        self.query = query_of_live_days(settings, source)
        self.work = folder
        self.unreadable: list[tuple[str, str]] = []

    def run(self) -> Summary:
        self.register_files()
        if not self.write_if_all_is_good():
            self.write_good_and_bad()
        if len(self.unreadable) == len(self.files):
            return Summary(unreadable=self.unreadable)
        unknown = new_fields(self.connection, self.settings, self.source, self.files)
        self.connection.register("unknown", unknown)
        profile = self.profile()
        rejections = self.connection.execute(
            "select landing_file, line_number, reason from rejected order by all limit 3"
        ).fetchall()
        fields = judged_fields(self.connection, self.settings, self.source, self.files[0].format)
        expectations.judge_fields(fields, self.id, self.work / f"{self.id}_fields.json")
        expectations.judge_load(profile, self.id, self.work / f"{self.id}.json")
        self.connection.execute(f"copy profile to '{quoted(self.work)}/{self.id}.parquet'")
        self.move_into_place()
        return Summary(
            files=len(self.files) - len(self.unreadable),
            received=int(profile["events_received"].sum()),
            accepted=int(profile["events_accepted"].sum()),
            rejected=int(profile["events_rejected"].sum()),
            rejections=rejections,
            unreadable=self.unreadable,
            new_fields=unknown["name"].to_list(),
        )

    def register_files(self) -> None:
        self.clear()
        files = pd.DataFrame(
            [
                (str(file.path), file.name, file.size_bytes, file.modified_at.replace(tzinfo=None))
                for file in self.files
            ],
            columns=["path", "landing_file", "size_bytes", "landed_at"],
        ).astype({"landed_at": "datetime64[us]"})
        self.connection.register("listed", files)
        self.connection.execute(
            """
            create temp table files as from listed;
            create temp table rejected (
                landing_file varchar, line_number bigint, reason varchar, text varchar,
                event_at timestamp
            );
            """
        )

    def clear(self) -> None:
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
        except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException):
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
        self.connection.execute(
            f"""
            create temp table typed as {self.query};

            insert into rejected
            select
                landing_file,
                line_number,
                reject_reason,
                shortened(cast(to_json(reject_text) as varchar)),
                case
                    when {self.source.time} between timestamp '2000-01-01'
                        and cast(now() as timestamp) then {self.source.time}
                end
            from typed
            where reject_reason <> '';
            """
        )
        self.write_events("(from typed where reject_reason = '')")
        self.connection.execute(
            f"""
            copy (
                select
                    '{self.source.name}' as source,
                    rejected.* replace ({kept_of_rejected(self.settings)}),
                    files.landed_at
                from rejected
                inner join files using (landing_file)
                order by landing_file, line_number
            ) to '{quoted(self.work)}/rejected.parquet'
            """
        )

    def write_events(self, events: str) -> None:
        self.connection.execute(
            f"""
            copy (
                select
                    events.* exclude (line_number, reject_text)
                        replace (nullif(reject_reason, '') as reject_reason),
                    files.landed_at
                from {events} as events
                inner join files using (landing_file)
            ) to '{quoted(self.work)}/events' (
                format parquet, compression zstd, partition_by (event_date),
                filename_pattern '{self.id}_{{i}}'
            )
            """
        )

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

    def move_into_place(self) -> None:
        """Move what was written to raw/, the ledger's entry last: with it the load has happened."""
        raw, work = self.raw, self.work
        moves = [
            (path, raw / self.source.name / path.parent.name / path.name)
            for path in sorted((work / "events").glob("*/*.parquet"))
        ]
        moves += [
            (work / "rejected.parquet", raw / "rejected" / f"{self.id}.parquet"),
            *((path, raw / "validations" / path.name) for path in work.glob("*.json")),
            (work / f"{self.id}.parquet", ledger.entry(self.settings, self.id)),
        ]
        for path, target in moves:
            if path.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                move(path, target)

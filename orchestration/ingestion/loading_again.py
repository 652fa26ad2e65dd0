"""Files that were taken in when less was read of a record: a load of theirs replaces that load.

It has the events of those that are still there, as they are read now, and of the others what the
load before had. With its entry in the ledger it has happened, and the other has not any more.
"""

from pathlib import Path

import pandas as pd

from orchestration.files import quoted, without_wildcards
from orchestration.ingestion import expectations, ledger
from orchestration.ingestion.damage import refuse_damage
from orchestration.ingestion.landed_file import LandingFile
from orchestration.ingestion.loading import Load
from orchestration.ingestion.summary import Summary
from orchestration.settings import Settings
from orchestration.sources.source import Source
from orchestration.warehouse.archive import PAST_RETENTION, is_archived, query_of_days_in_raw

# Whether something of the load before is of a file that is not read again.
_IS_KEPT = "landing_file not in (select landing_file from files)"


class LoadAgain(Load):
    """Files of the load `replaced` are read again.

    What retention has removed of them stays removed, and what it has rejected stays rejected: the
    archive has counted it.
    """

    query_of = staticmethod(query_of_days_in_raw)

    def __init__(
        self,
        settings: Settings,
        source: Source,
        files: list[LandingFile],
        load_id: str,
        folder: Path,
        replaced: str,
    ) -> None:
        """Say what is to be loaded; nothing happens yet."""
        super().__init__(settings, source, files, load_id, folder)
        self.replaced = replaced

    def run(self) -> Summary:
        """Do it.

        Raises:
            UserError: see `Load.run`; or a file of the load before is damaged.
        """
        refuse_damage(self.settings, *ledger.all_of_load(self.settings, self.replaced))
        return super().run()

    def judge(self, profile: pd.DataFrame) -> None:
        """See that the load is as it should be; what format it has was judged when it came."""
        expectations.judge_load(profile, self.id, self.work / f"{self.id}.json")

    def summary(self, profile: pd.DataFrame, new_names: list[str]) -> Summary:
        """Say what was done, which is nothing new."""
        return Summary(
            files_again=len(self.files) - len(self.unreadable),
            unreadable=self.unreadable,
            others=self.others(),
        )

    def other_events(self, query: str) -> str:
        """Return SQL that adds the events of files that are not read again."""
        described = self.connection.execute(f"describe {query}").fetchall()
        columns = [(name, kind) for name, kind, *_ in described]
        nothing = ", ".join(f'cast(null as {kind}) as "{name}"' for name, kind in columns)
        before = f"select {nothing} where false"
        if paths := ledger.files_of_load(self.settings, self.replaced):
            listed = ", ".join(f"'{quoted(without_wildcards(path))}'" for path in paths)
            options = "union_by_name = true, hive_types = {'event_date': date}"
            before += f" union all by name from read_parquet([{listed}], {options})"
        typed = ", ".join(f'cast("{name}" as {kind}) as "{name}"' for name, kind in columns)
        self.connection.execute(
            f"create or replace temp view replaced as select {typed} from ({before})"
        )
        return f"union all from replaced where {_IS_KEPT}"

    def set_bad_aside(self) -> None:
        """Leave out what is archived; add what was rejected in files that are not read again."""
        self.connection.execute(
            f"""
            delete from rejected using files
            where
                rejected.landing_file = files.landing_file
                and {is_archived(self.settings, "coalesce(event_at, files.landed_at)")}
            """
        )
        super().set_bad_aside()
        path = ledger.rejected_of_load(self.settings, self.replaced)
        before = f"'{quoted(without_wildcards(path))}'" if path.exists() else "set_aside limit 0"
        self.connection.execute(
            f"""
            create temp table replaced_rejected as from {before};

            insert into set_aside by name from replaced_rejected
            where {_IS_KEPT} or contains(reason, '{PAST_RETENTION}')
            """
        )

    def write_entry(self) -> None:
        """Write a row for each file of the load before; what was received is what it was then.

        But for what counts differently now, of days that are not archived.
        """
        before = quoted(without_wildcards(ledger.entry(self.settings, self.replaced)))
        is_live = f"not ({is_archived(self.settings, self.source.time)})"
        is_event = f"({self.source.counted}) and {is_live}"
        is_bad = f"not ({is_archived(self.settings, 'coalesce(event_at, landed_at)')})"
        self.connection.execute(
            f"""
            copy (
                with before as (
                    select null::varchar[] as new_fields where false
                    union all by name from '{before}'
                ),

                changes as (
                    select
                        landing_file,
                        cast(sum(accepted) as bigint) as accepted,
                        cast(sum(rejected) as bigint) as rejected
                    from (
                        select landing_file, 1 as accepted, 0 as rejected
                        from {self.written} where {is_event}
                        union all
                        select landing_file, -1, 0 from replaced where {is_event}
                        union all
                        select landing_file, 0, 1 from set_aside where {is_bad}
                        union all
                        select landing_file, 0, -1 from replaced_rejected where {is_bad}
                    )
                    group by landing_file
                )

                select
                    profile.* replace (
                        before.events_received + coalesce(accepted + rejected, 0)
                            as events_received,
                        before.events_accepted + coalesce(accepted, 0) as events_accepted,
                        before.events_rejected + coalesce(rejected, 0) as events_rejected,
                        list_concat(before.new_fields, profile.new_fields) as new_fields
                    )
                from profile
                inner join before using (landing_file)
                left join changes using (landing_file)

                union all by name

                select * replace ('{self.id}' as load_id) from before where {_IS_KEPT}
            ) to '{quoted(self.work)}/{self.id}.parquet'
            """
        )

    def move_into_place(self) -> None:
        """Have it happen, and what it replaces no more."""
        super().move_into_place()
        ledger.remove_load(self.settings, self.replaced)

-- One row per landed file of a load, for expectations and the ledger: counts of events, extremes,
-- how many events have what is needed, what was wrong with how many, and fields that are new.
with good as (
    select
        landing_file,
        count(*) filter ({counted}) as accepted,
        count(*) - count({key}) as without_key,
        min({time}) as first_at,
        max({time}) as last_at,
        min(least({tokens})) as fewest_tokens,
        max(greatest({tokens})) as most_tokens,
        count(*) filter ({succeeded}) as succeeded,
        map {{ {needed} }} as events_with
    from {events}
    group by landing_file
),

bad as (
    select landing_file, count(*) as rejected from rejected group by landing_file
),

wrong as (
    select landing_file, histogram(reason) as events_wrong
    from (
        select landing_file, unnest(string_split(reason, '; ')) as reason from rejected
    )
    -- These tell of a line or of a day past retention, not of a field.
    where not regexp_matches(reason, '^(the line|the row|the header|a field|its day) ')
    group by landing_file
),

others_by_file as (
    select landing_file, sum(records) as others from others group by landing_file
),

new_fields as (
    select landing_file, list(name order by name) as new_fields from unknown group by landing_file
)

select
    '{load_id}' as load_id,
    '{source}' as source,
    {reading} as reading,
    landing_file,
    size_bytes,
    landed_at,
    coalesce(accepted, 0) + coalesce(rejected, 0) as events_received,
    coalesce(accepted, 0) as events_accepted,
    coalesce(rejected, 0) as events_rejected,
    cast(coalesce(others, 0) as bigint) as records_of_other_kinds,
    coalesce(without_key, 0) as events_without_key,
    first_at as first_event_at,
    last_at as last_event_at,
    fewest_tokens,
    most_tokens,
    coalesce(succeeded, 0) as events_succeeded,
    events_with,
    events_wrong,
    new_fields
from files
left join good using (landing_file)
left join bad using (landing_file)
left join others_by_file using (landing_file)
left join wrong using (landing_file)
left join new_fields using (landing_file)
order by landing_file

-- One row per landed file of a load: counts of events, and the extremes that expectations judge.
with good as (
    select
        landing_file,
        count(*) filter ({counted}) as accepted,
        count(*) - count({key}) as without_key,
        min({time}) as first_at,
        max({time}) as last_at,
        min(least({tokens})) as fewest_tokens,
        max(greatest({tokens})) as most_tokens
    from {events}
    group by landing_file
),

bad as (
    select landing_file, count(*) as rejected from rejected group by landing_file
)

select
    '{load_id}' as load_id,
    '{source}' as source,
    landing_file,
    size_bytes,
    landed_at,
    coalesce(accepted, 0) + coalesce(rejected, 0) as events_received,
    coalesce(accepted, 0) as events_accepted,
    coalesce(rejected, 0) as events_rejected,
    coalesce(without_key, 0) as events_without_key,
    first_at as first_event_at,
    last_at as last_event_at,
    fewest_tokens,
    most_tokens
from files
left join good using (landing_file)
left join bad using (landing_file)
order by landing_file

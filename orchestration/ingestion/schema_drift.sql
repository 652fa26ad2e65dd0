-- One row per field that this load should have: how many events it was right in, how many there
-- must be at least, and how it was before. A field is either one that is needed, or what records
-- were rejected for. Relations: profile, of this load; history, the profiles of earlier ones.
with profiles as (
    select *, true as is_now from profile
    union all by name
    select *, false as is_now from history
    -- A name without an ending is of JSON.
    where
        coalesce(
            nullif(regexp_extract(landing_file, '(\.[a-z]+)(\.gz|\.zst)?$', 1), ''), '.json'
        ) = $format
),

loads as (
    select
        load_id,
        sum(events_succeeded) as succeeded,
        sum(events_received) as received
    from profiles
    group by load_id
),

fields as (
    select
        load_id, is_now, landing_file, true as is_needed, entry.key as field,
        entry.value as events, entry.value = 0 and events_succeeded > 0 as is_lacking
    from (
        select *, unnest(map_entries(events_with)) as entry from profiles
    )
    union all
    select load_id, is_now, landing_file, false, entry.key, entry.value, true
    from (
        select *, unnest(map_entries(events_wrong)) as entry from profiles
    )
),

by_load as (
    select
        load_id,
        is_now,
        is_needed,
        field,
        case when is_needed then any_value(succeeded) else any_value(received) end as events,
        case
            when is_needed then sum(fields.events) else any_value(received) - sum(fields.events)
        end as events_right,
        count(*) filter (is_lacking) as files,
        list(landing_file order by landing_file) filter (is_lacking)[:3] as first_files
    from fields
    inner join loads using (load_id)
    group by load_id, is_now, is_needed, field
),

-- What was rejected for nothing of the kind is not in by_load, and was all right.
earlier as (
    select
        now.is_needed,
        now.field,
        loads.load_id,
        coalesce(
            by_load.events_right,
            case when not now.is_needed then loads.received end
        ) / case when now.is_needed then loads.succeeded else loads.received end as share
    from by_load as now
    inner join loads
        on case when now.is_needed then loads.succeeded else loads.received end >= $handful
    left join by_load
        on now.field = by_load.field
        and now.is_needed = by_load.is_needed
        and loads.load_id = by_load.load_id
    where now.is_now and loads.load_id not in (select load_id from profile)
),

usual as (
    select
        is_needed,
        field,
        median(share) as share,
        arg_max(share, load_id) as last_share,
        min(load_id) filter (share >= 0.9) as since
    from earlier
    group by all
)

select
    by_load.is_needed,
    by_load.field,
    cast(by_load.events as bigint) as events,
    cast(by_load.events_right as bigint) as events_right,
    -- A change that was accepted once, or has come in part, shows in the load before.
    case
        when by_load.events < $handful then 0
        when by_load.is_needed and usual.share >= 0.9 and usual.last_share > 0.1
            then ceil(by_load.events * 0.05)
        when not by_load.is_needed and coalesce(usual.last_share, 1) > 0.5
            then ceil(by_load.events * 0.05)
        else 0
    end as events_at_least,
    usual.since,
    by_load.files,
    by_load.first_files
from by_load
left join usual using (is_needed, field)
where by_load.is_now
order by all

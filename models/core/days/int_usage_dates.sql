with raw_files as (

    select * from {{ source('raw', 'files') }}

),

event_dates as (

    select
        event_date,
        string_agg(file_name, ',' order by file_name) as file_names
    from raw_files
    group by event_date

),

-- The one or two local days that a UTC day touches.
usage_dates as (

    select
        event_date,
        file_names,
        unnest(list_distinct([
            cast({{ local_time('cast(event_date as timestamp)') }} as date),
            cast({{ local_time("cast(event_date as timestamp) + interval '23:59:59'") }} as date)
        ])) as usage_date
    from event_dates

),

-- What a day is made of: raw files and settings.
wanted as (

    select
        usage_date,
        list(event_date order by event_date) as event_dates,
        md5(concat_ws(
            ' ',
            string_agg(file_names, ',' order by event_date),
            '{{ setting("reporting_time_zone") }}',
            '{{ setting("session_idle_minutes") }}',
            '{{ setting("gateway_addresses") }}',
            {{ hiding_version() }}
        )) as events_version
    from usage_dates
    where {{ is_live('usage_date') }}
    group by usage_date

),

built as (

    {{ already_built('int_requests', 'events_version') }}

),

compared as (

    select
        coalesce(wanted.usage_date, built.usage_date) as usage_date,
        wanted.events_version,
        coalesce(wanted.event_dates, []) as event_dates,
        (wanted.events_version is distinct from built.events_version) as has_changed
    from wanted
    full join built on wanted.usage_date = built.usage_date

),

-- None where every day has changed: no other is left to look for.
changed_requests as (

    select request_id from {{ ref('int_requests_unioned') }}
    where
        event_date in (
            select unnest(event_dates) from compared
            where
                has_changed
                and (select not bool_and(days.has_changed) from compared as days)
        )

    union all

    -- Those that are gone from a changed day, too: another delivery may have to stand in.
    select request_id from ({{ already_built('int_requests', 'request_id') }}) as built_requests
    where usage_date in (
        select usage_date from compared
        where has_changed
    )

),

-- A day that shares a request with a changed one must be rebuilt with it: the request may move.
event_dates_to_rebuild as (

    select distinct event_date
    from {{ ref('int_requests_unioned') }}
    where request_id in (select request_id from changed_requests)

),

final as (

    select
        usage_date,
        events_version,
        event_dates,
        has_changed or list_has_any(
            event_dates, (select list(event_date) from event_dates_to_rebuild)
        ) is true as needs_rebuild
    from compared

)

select * from final

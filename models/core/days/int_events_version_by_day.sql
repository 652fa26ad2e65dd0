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
            '{{ setting("shared_keys") | replace("'", "''") }}',
            {{ hiding_version() }}
        )) as events_version
    from usage_dates
    where {{ is_live('usage_date') }}
    group by usage_date

),

built_events as (

    {{ already_built('int_accepted_events', ['events_version']) }}

),

built_requests as (

    {{ already_built('int_requests', ['events_version']) }}

),

-- What is marked for rebuilding is so in int_requests; but that has no rows of a day without use.
built as (

    select built_events.*
    from built_events
    left join built_requests using (usage_date)
    where
        built_requests.usage_date is null
        or built_events.events_version = built_requests.events_version

),

final as (

    select
        coalesce(wanted.usage_date, built.usage_date) as usage_date,
        coalesce(wanted.event_dates, []) as event_dates,
        wanted.events_version,
        (wanted.events_version is distinct from built.events_version) as has_changed
    from wanted
    full join built on wanted.usage_date = built.usage_date

)

select * from final

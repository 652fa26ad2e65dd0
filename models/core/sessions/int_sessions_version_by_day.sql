with session_days as (

    select distinct
        session_number,
        usage_date
    from {{ ref('int_session_days') }}

),

versions as (

    select * from {{ ref('int_requests_version_by_day') }}

),

-- A session changes with each day that it has a part in.
longer_than_a_day as (

    select session_number from session_days
    group by session_number
    having min(usage_date) < max(usage_date)

),

parts as (

    select
        session_days.session_number,
        session_days.usage_date,
        versions.requests_version
    from session_days
    inner join longer_than_a_day using (session_number)
    inner join versions using (usage_date)

),

sessions as (

    select
        session_number,
        list(usage_date) as usage_dates,
        md5(string_agg(requests_version, ' ' order by usage_date)) as session_version
    from parts
    group by session_number

),

sessions_by_day as (

    select
        parts.usage_date,
        list_sort(list_distinct(flatten(list(sessions.usage_dates)))) as usage_dates,
        md5(string_agg(
            concat_ws(' ', session_number, sessions.session_version), ' ' order by session_number
        )) as sessions_version
    from parts
    inner join sessions using (session_number)
    group by parts.usage_date

),

final as (

    select
        versions.usage_date,
        coalesce(sessions_by_day.usage_dates, [versions.usage_date]) as usage_dates,
        md5(concat_ws(' ', versions.requests_version, sessions_by_day.sessions_version))
            as sessions_version
    from versions
    left join sessions_by_day using (usage_date)

)

select * from final

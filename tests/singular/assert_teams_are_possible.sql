-- Each row of seeds/teams.csv names a user, a team and a period that begins before it ends, and no
-- two rows of a user hold on the same day: nobody could tell which team was meant. `to_do` says
-- what to change in the file.
with teams as (

    select * from {{ ref('teams') }}

),

periods as (

    select
        *,
        coalesce(valid_from, date '0001-01-01') as first_day,
        coalesce(valid_to, date '9999-12-31') as day_after
    from teams

),

with_the_one_before as (

    select
        *,
        max(day_after) over earlier as team_before_valid_to,
        arg_max(team_id, day_after) over earlier as team_before
    from periods
    window earlier as (
        partition by user_id
        order by first_day, day_after
        rows between unbounded preceding and 1 preceding
    )

),

judged as (

    select
        user_id,
        team_id,
        valid_from,
        valid_to,
        -- Where users are hidden it is told to more people than may know who they are.
        concat_ws(
            ' ', 'seeds/teams.csv, the row of',
            {{ "'a user'" if users_are_hidden() else "coalesce(user_id, 'nobody')" }},
            'in', coalesce(team_id, 'no team'), 'from', first_day
        ) as of_row,
        case
            when coalesce(trim(user_id), '') = '' then 'write whose team it is in user_id'
            when coalesce(trim(team_id), '') = '' then 'write a team in team_id, or remove the row'
            when day_after <= first_day
                then 'valid_to is the first day no longer meant: let it lie after valid_from'
            when trim(user_id) <> user_id or trim(team_id) <> team_id
                then 'remove the spaces around a name'
            when first_day < team_before_valid_to
                then
                    'overlaps the row of ' || coalesce(team_before, 'no team')
                    || ': end that one with valid_to on ' || first_day || ', or remove one of both'
        end as problem
    from with_the_one_before

)

select
    * exclude (of_row, problem),
    of_row || ': ' || problem as to_do
from judged
where problem is not null

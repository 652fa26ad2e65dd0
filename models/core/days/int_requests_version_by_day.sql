with requests as (

    select distinct
        usage_date,
        built_at,
        provider,
        model
    from {{ ref('int_requests') }}

),

models as (

    select * from {{ ref('dim_models') }}

),

prices as (

    select
        provider,
        model,
        md5(string_agg(cast(prices as varchar), ' ' order by price_id)) as prices_version
    from {{ ref('dim_prices') }} as prices
    group by provider, model

),

teams as (

    select * from {{ ref('int_teams') }}

),

-- Of those who asked that day: whoever else changes teams rebuilds nothing here.
team_members as (

    select distinct
        requests.usage_date,
        requests.user_id,
        teams.team_id
    from {{ ref('int_requests') }} as requests
    inner join teams on {{ is_in_team('teams', 'requests') }}

),

teams_by_day as (

    select
        usage_date,
        md5(string_agg(
            concat_ws(' ', user_id, team_id), chr(10) order by user_id, team_id
        )) as teams_version
    from team_members
    group by usage_date

),

-- Only of the models that the day knows: a new model elsewhere rebuilds nothing here.
final as (

    select
        requests.usage_date,
        md5(concat_ws(
            ' ',
            string_agg(
                concat_ws(' ', requests.built_at, models.ai_service, prices.prices_version),
                ' ' order by requests.provider, requests.model
            ),
            any_value(teams_by_day.teams_version)
        )) as requests_version
    from requests
    inner join models
        on requests.provider = models.provider and requests.model = models.model
    left join prices
        on requests.provider = prices.provider and requests.model = prices.model
    left join teams_by_day on requests.usage_date = teams_by_day.usage_date
    group by requests.usage_date
    {{ and_archived_versions() }}

)

select * from final

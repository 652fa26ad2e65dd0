{{ config(materialized='view') }}

with deliveries as (

    select * from {{ ref('int_deliveries') }}

),

repeated_requests as (

    select * from {{ ref('int_repeated_requests') }}

),

usage_dates as (

    select * from {{ ref('int_usage_dates') }}

),

requests as (

    -- Most come once.
    select
        request_id,
        source,
        response_id,
        prompt_id,
        reported_session_id,
        is_session_id_doubtful,
        user_id,
        end_user_id,
        user_name,
        team_id,
        provider,
        model,
        status,
        error_type,
        service_tier,
        region,
        {{ token_types() | map(attribute='tokens') | join(', ') }},
        {%- for meter in finer_meters() %}
            {{ meter.name }}_tokens,
        {%- endfor %}
        web_searches,
        reported_cost_usd,
        is_cache_hit,
        is_sum_of_calls,
        is_part_cut,
        is_client_view,
        requested_at,
        first_token_at,
        completed_at,
        0 as conflicting_deliveries
    from deliveries
    where request_id not in (select request_id from repeated_requests)

    union all by name

    select * from repeated_requests

),

-- Of the input the audio includes what of it was cached. Where that was not told, and there is more
-- audio than was not cached, the rest was.
with_cached_audio as (

    select
        *,
        case
            when cache_audio_read_tokens is not null
                then least(cache_audio_read_tokens, input_audio_tokens)
            when input_audio_tokens > input_uncached_tokens and cache_read_tokens > 0
                then input_audio_tokens - input_uncached_tokens
        end as cached_audio,
        input_audio_tokens - coalesce(cached_audio, 0) as uncached_audio
    from requests

),

-- The meters as disjoint parts of their types, each within what is left of it: once deliveries are
-- merged, since one may tell the type and another what is finer.
settled as (

    select
        * exclude (cached_audio, uncached_audio)
        replace (
            {{ at_most('cached_audio', 'cache_read_tokens') }} as cache_audio_read_tokens,
            {{ at_most('uncached_audio', 'input_uncached_tokens') }} as input_audio_tokens,
            {{ at_most(
                'input_image_tokens', '(input_uncached_tokens - coalesce(uncached_audio, 0))'
            ) }} as input_image_tokens,
            {{ at_most(
                'input_video_tokens',
                '(input_uncached_tokens - coalesce(uncached_audio, 0)'
                ' - coalesce(input_image_tokens, 0))'
            ) }} as input_video_tokens,
            {{ at_most('cache_write_1h_tokens', 'cache_write_tokens') }} as cache_write_1h_tokens,
            {{ at_most(
                'cache_write_5m_tokens', '(cache_write_tokens - coalesce(cache_write_1h_tokens, 0))'
            ) }} as cache_write_5m_tokens,
            {{ at_most('output_audio_tokens', 'output_tokens_without_reasoning') }}
                as output_audio_tokens,
            {{ at_most(
                'output_image_tokens',
                '(output_tokens_without_reasoning - coalesce(output_audio_tokens, 0))'
            ) }} as output_image_tokens,
            {{ at_most(
                'output_video_tokens',
                '(output_tokens_without_reasoning - coalesce(output_audio_tokens, 0)'
                ' - coalesce(output_image_tokens, 0))'
            ) }} as output_video_tokens,
            is_part_cut
            or coalesce(cached_audio > cache_read_tokens, false)
            or coalesce(cache_audio_read_tokens > input_audio_tokens, false)
            -- What of the input exceeds its uncached part was cached; the whole holds it all.
            or coalesce(
                coalesce(input_audio_tokens, cached_audio, 0)
                + coalesce(input_image_tokens, 0)
                + coalesce(input_video_tokens, 0)
                > {{ token_types('input') | map(attribute='tokens') | join(' + ') }},
                false
            )
            or coalesce(
                coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
                > cache_write_tokens,
                false
            )
            or coalesce(
                coalesce(output_audio_tokens, 0)
                + coalesce(output_image_tokens, 0)
                + coalesce(output_video_tokens, 0)
                > output_tokens_without_reasoning,
                false
            ) as is_part_cut
        )
    from with_cached_audio

),

localized as (

    select
        settled.*,
        {{ local_time('requested_at') }} as requested_at_local
    from settled
    -- What only the client has seen of a gateway's traffic is no request of its own.
    where not is_client_view

),

final as (

    select
        localized.*,
        usage_dates.usage_date,
        usage_dates.events_version
    from localized
    inner join usage_dates on cast(localized.requested_at_local as date) = usage_dates.usage_date
    where
        usage_dates.needs_rebuild
        -- A day without a version counts from raw/ no more.
        and usage_dates.events_version is not null

)

select * from final

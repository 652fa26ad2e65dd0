-- The general format for every gateway that has none of its own: one row per request, flat.
-- Input tokens include both cache columns, output tokens include reasoning; what is finer is a part
-- of these: audio of the input includes cached audio.
select
    given(request_id) as request_id,
    given(response_id) as response_id,
    as_time(requested_at) as requested_at,
    as_time(updated_at) as updated_at,
    given(provider) as provider,
    given(model) as model,
    given(user_id) as user_id,
    word(user_name) as user_name,
    given(end_user_id) as end_user_id,
    given(team_id) as team_id,
    given(session_id) as session_id,
    given(prompt_id) as prompt_id,
    coalesce(lower(given(status)), 'success') as status,
    word(error_type) as error_type,
    coalesce(as_flag(is_cache_hit), false) as is_cache_hit,
    as_count(input_tokens) as input_tokens,
    as_count(cache_read_tokens) as cache_read_tokens,
    as_count(cache_write_tokens) as cache_write_tokens,
    as_count(output_tokens) as output_tokens,
    as_count(reasoning_tokens) as reasoning_tokens,
    try_cast(given(response_time_ms) as double) as response_time_ms,
    try_cast(given(time_to_first_token_ms) as double) as time_to_first_token_ms,
    as_money(cost_usd) as cost_usd,
    as_count(cache_write_5m_tokens) as cache_write_5m_tokens,
    as_count(cache_write_1h_tokens) as cache_write_1h_tokens,
    as_count(input_audio_tokens) as input_audio_tokens,
    as_count(cache_audio_read_tokens) as cache_audio_read_tokens,
    as_count(input_image_tokens) as input_image_tokens,
    as_count(input_video_tokens) as input_video_tokens,
    as_count(output_audio_tokens) as output_audio_tokens,
    as_count(output_image_tokens) as output_image_tokens,
    as_count(output_video_tokens) as output_video_tokens,
    as_count(web_searches) as web_searches,
    word(service_tier) as service_tier,
    word(region) as region,
    coalesce(as_flag(is_sum_of_calls), false) as is_sum_of_calls,

    cast(as_time(requested_at) as date) as event_date,
    concat_ws('; ',
        missing(request_id, 'request_id'),
        missing(requested_at, 'requested_at'),
        missing(provider, 'provider'),
        missing(model, 'model'),
        bad_id(request_id, 'request_id'),
        bad_id(response_id, 'response_id'),
        bad_name(provider, 'provider'),
        bad_name(model, 'model'),
        bad_id(user_id, 'user_id'),
        bad_id(end_user_id, 'end_user_id'),
        bad_id(team_id, 'team_id'),
        bad_id(session_id, 'session_id'),
        bad_id(prompt_id, 'prompt_id'),
        bad_time(requested_at, 'requested_at'),
        bad_time(updated_at, 'updated_at'),
        case
            when lower(given(status)) not in ('success', 'failure')
                then 'status is neither success nor failure'
        end,
        bad_flag(is_cache_hit, 'is_cache_hit'),
        bad_count(input_tokens, 'input_tokens'),
        bad_count(cache_read_tokens, 'cache_read_tokens'),
        bad_count(cache_write_tokens, 'cache_write_tokens'),
        bad_count(output_tokens, 'output_tokens'),
        bad_count(reasoning_tokens, 'reasoning_tokens'),
        bad_duration(response_time_ms, 'response_time_ms'),
        bad_duration(time_to_first_token_ms, 'time_to_first_token_ms'),
        bad_money(cost_usd, 'cost_usd'),
        case
            when coalesce(as_count(cache_read_tokens), 0) + coalesce(as_count(cache_write_tokens), 0)
                > abs(coalesce(as_count(input_tokens), 0))
                then 'cache tokens exceed input_tokens, which must include them'
        end,
        case
            when coalesce(as_count(reasoning_tokens), 0) > abs(coalesce(as_count(output_tokens), 0))
                then 'reasoning_tokens exceed output_tokens, which must include them'
        end,
        bad_flag(is_sum_of_calls, 'is_sum_of_calls'),
        bad_meters(
            cache_write_5m_tokens, cache_write_1h_tokens, input_audio_tokens,
            cache_audio_read_tokens, input_image_tokens, input_video_tokens,
            output_audio_tokens, output_image_tokens, output_video_tokens, web_searches
        ),
        -- Few tell them.
        case
            when
                coalesce(
                    cache_write_5m_tokens, cache_write_1h_tokens, input_audio_tokens,
                    cache_audio_read_tokens, input_image_tokens, input_video_tokens,
                    output_audio_tokens, output_image_tokens,
                    output_video_tokens
                ) is not null
                then nullif(concat_ws('; ',
                    case
                        when
                            count_of([cache_write_5m_tokens, cache_write_1h_tokens])
                            > count_of([cache_write_tokens])
                            then 'cache_write_5m_tokens and cache_write_1h_tokens exceed '
                                'cache_write_tokens, which must include them'
                    end,
                    case
                        when
                            count_of([input_audio_tokens, input_image_tokens, input_video_tokens])
                            > count_of([input_tokens])
                            then 'tokens of audio, images and video exceed input_tokens, which must '
                                'include them'
                    end,
                    case
                        when
                            count_of([cache_audio_read_tokens])
                            > least(
                                count_of([input_audio_tokens]), count_of([cache_read_tokens])
                            )
                            then 'cache_audio_read_tokens exceed input_audio_tokens or '
                                'cache_read_tokens, which must both include them'
                    end,
                    case
                        when
                            count_of([output_audio_tokens, output_image_tokens, output_video_tokens])
                            > count_of([output_tokens])
                            then 'tokens of audio, images and video exceed output_tokens, which must '
                                'include them'
                    end
                ), '')
        end
    ) as reject_reason,
    {
        'request_id': request_id, 'requested_at': requested_at, 'provider': provider,
        'model': model, 'status': status, 'is_cache_hit': is_cache_hit,
        'input_tokens': input_tokens, 'cache_read_tokens': cache_read_tokens,
        'cache_write_tokens': cache_write_tokens, 'output_tokens': output_tokens,
        'reasoning_tokens': reasoning_tokens, 'response_time_ms': response_time_ms,
        'time_to_first_token_ms': time_to_first_token_ms, 'cost_usd': cost_usd,
        'cache_write_5m_tokens': cache_write_5m_tokens, 'cache_write_1h_tokens': cache_write_1h_tokens,
        'input_audio_tokens': input_audio_tokens, 'cache_audio_read_tokens': cache_audio_read_tokens,
        'input_image_tokens': input_image_tokens, 'input_video_tokens': input_video_tokens,
        'output_audio_tokens': output_audio_tokens, 'output_image_tokens': output_image_tokens,
        'output_video_tokens': output_video_tokens, 'web_searches': web_searches,
        'is_sum_of_calls': is_sum_of_calls
    } as reject_text,
    landing_file,
    line_number
from landing

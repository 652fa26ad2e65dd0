-- Reading text as values, and saying what is wrong with it. Every landed value comes as text, so
-- that a value of the wrong type is a rejected record with a reason and never a silent null.

-- To trim costs ten times as much as to see that plain text, as most is, has nothing to trim.
create or replace temp macro given(x) as case
    when x between '!' and '~' and strlen(x) = length(x) and not ends_with(x, ' ') then x
    else nullif(trim(x), '')
end;

-- Microseconds of a number that counts seconds since 1970, or milli-, micro- or nanoseconds: as
-- seconds the smallest of these would be after the year 5000.
create or replace temp macro as_microseconds(n) as case
    when abs(n) < 1e11 then n * 1000000
    when abs(n) < 1e14 then n * 1000
    when abs(n) < 1e17 then n
    else n / 1000
end;

-- ISO 8601, with a zone or in UTC, or a number. A decimal would cost more than all the rest of
-- reading a record; a double tells microseconds for a century to come.
create or replace temp macro as_time(x) as coalesce(
    -- The cast to timestamp would read Z, but leave out +02:00.
    case when ends_with(x, 'Z') then try_cast(x as timestamp) end,
    make_timestamp(try_cast(round(
        list_transform([try_cast(given(x) as double)], lambda n: as_microseconds(n))[1]
    ) as bigint)),
    -- DuckDB takes +99:99 for a zone; there is none beyond 14 hours.
    case when not regexp_matches(x, ':[\d.]+ ?[+-](1[5-9]|[2-9]\d|14:?(0[1-9]|[1-9])|\d\d:?[6-9])')
        then cast(try_cast(given(x) as timestamptz) as timestamp)
    end
);

-- 12 and 12.0 are whole numbers; that 12.5 is none bad_count says. What is beyond any count is none
-- either: sums of it would be beyond 64 bits, and end the load.
create or replace temp macro as_count(x) as case
    when try_cast(given(x) as bigint) between -1000000000000000 and 1000000000000000
        then try_cast(given(x) as bigint)
end;

create or replace temp macro count_of(parts) as
    list_sum(list_transform(parts, lambda part: abs(coalesce(as_count(part), 0))));

-- 18 digits, of less than a million dollars, are read five times as fast as 20.
create or replace temp macro as_money(x) as coalesce(
    cast(try_cast(given(x) as decimal(18, 12)) as decimal(20, 12)),
    try_cast(given(x) as decimal(20, 12))
);

create or replace temp macro as_flag(x) as try_cast(given(x) as boolean);

create or replace temp macro missing(x, field) as
    case when given(x) is null then field || ' is missing' end;

-- What JSON writes as it is has no control characters; to see that costs a third of what a regular
-- expression does.
create or replace temp macro is_plain(x) as
    strlen(to_json(x)) = strlen(x) + 2 and strlen(x) = length(x) and not contains(x, chr(127));

-- An object or a list where a word should stand.
create or replace temp macro plain(x) as
    case when left(given(x), 1) not in ('{', '[') or not json_valid(x) then given(x) end;

create or replace temp macro bad_text(x, field) as
    case when left(given(x), 1) in ('{', '[') and json_valid(x) then field || ' is not text' end;

-- What is no id, or no name, may be anything: a prompt, too.
create or replace temp macro bad_id(x, field) as case
    -- What is well is found first, and at once.
    when is_plain(x) and strlen(x) <= 256 and left(x, 1) not in ('{', '[', ' ') then null
    when length(given(x)) > 256 then field || ' is longer than 256 characters'
    when regexp_matches(x, '\p{Cc}') then field || ' has control characters'
    else bad_text(x, field)
end;

create or replace temp macro bad_name(x, field) as bad_id(x, field);

-- A word, such as a status or a kind of error: of what is longer, or goes over several lines, no
-- more than its beginning; of an object nothing.
create or replace temp macro word(x) as case
    when is_plain(x) and strlen(x) <= 200 then plain(x)
    else given(left(regexp_extract(plain(x), '^\P{Cc}*'), 200))
end;

-- The id of a trace or span. In hex, which knows no case; of nothing but zeros it is none, says
-- OpenTelemetry. In base64, as some write it, case tells.
create or replace temp macro hex_id(x) as case
    when ltrim(given(x), '0') = '' then null
    when x = lower(x) then given(x)
    when length(given(x)) in (16, 32) and regexp_full_match(given(x), '[0-9A-Fa-f]+')
        then lower(given(x))
    else given(x)
end;

create or replace temp macro bad_time(x, field) as case
    -- What is well is found first, and at once.
    when as_time(x) between timestamp '2000-01-01' and cast(now() as timestamp) + interval 1 hour
        then null
    when given(x) is null then null
    when as_time(x) is null then field || ' is not a time'
    when as_time(x) < timestamp '2000-01-01' then field || ' is before the year 2000'
    when as_time(x) > cast(now() as timestamp) + interval 1 hour then field || ' is in the future'
end;

create or replace temp macro bad_number(x, field, largest) as case
    when try_cast(given(x) as double) between 0 and largest then null
    when given(x) is null then null
    when try_cast(given(x) as double) is null or not isfinite(try_cast(given(x) as double))
        then field || ' is not a number'
    when try_cast(given(x) as double) < 0 then field || ' is negative'
    when try_cast(given(x) as double) > largest then field || ' is absurdly large'
end;

-- A request of more than a billion tokens is a fault of whoever counted.
create or replace temp macro bad_count(x, field) as case
    when
        as_count(x) between 0 and 1000000000
        and as_count(x) = try_cast(given(x) as double)
        then null
    else coalesce(
        bad_number(x, field, 1e9),
        case
            when try_cast(given(x) as double) <> floor(try_cast(given(x) as double))
                then field || ' is not a whole number'
        end
    )
end;

-- The counts that few requests tell, all at once.
create or replace temp macro bad_meters(
    write_5m, write_1h, input_audio, cached_audio, input_image, input_video, output_audio,
    output_image, output_video, searches
) as case
    when
        coalesce(
            write_5m, write_1h, input_audio, cached_audio, input_image, input_video, output_audio,
            output_image, output_video, searches
        ) is not null
        then nullif(concat_ws('; ',
            bad_count(write_5m, 'cache_write_5m_tokens'),
            bad_count(write_1h, 'cache_write_1h_tokens'),
            bad_count(input_audio, 'input_audio_tokens'),
            bad_count(cached_audio, 'cache_audio_read_tokens'),
            bad_count(input_image, 'input_image_tokens'),
            bad_count(input_video, 'input_video_tokens'),
            bad_count(output_audio, 'output_audio_tokens'),
            bad_count(output_image, 'output_image_tokens'),
            bad_count(output_video, 'output_video_tokens'),
            bad_count(searches, 'web_searches')
        ), '')
end;

-- A request of more than 30 days, or of more than a million dollars, is a fault as well.
create or replace temp macro bad_duration(x, field) as bad_number(x, field, 2592000000);

create or replace temp macro bad_money(x, field) as bad_number(x, field, 1e6);

create or replace temp macro bad_flag(x, field) as
    case when given(x) is not null and as_flag(x) is null then field || ' is not true or false' end;

-- JSON with no text in it longer than 40 characters, since a value in the wrong place may be
-- anything.
create or replace temp macro shortened(x) as regexp_replace(
    x, '"((?:[^"\\]|\\.){40})(?:[^"\\]|\\.)*"', '"\1..."', 'g'
);

-- Fields of an object that is told as JSON, or as Python writes it; nothing of what is neither.
create or replace temp macro in_json(x, path) as
    case when json_valid(x) then given(json_extract_string(x, path)) end;

create or replace temp macro in_dict(x, field) as
    nullif(regexp_extract(x, '[''"]' || field || '[''"]: *([0-9]+)', 1), '');

create or replace temp macro in_part(x, part, field) as nullif(regexp_extract(
    x, '[''"]' || part || '[''"]: *\{[^{}]*[''"]' || field || '[''"]: *([0-9]+)', 1
), '');

create or replace temp macro word_in_dict(x, field) as
    nullif(regexp_extract(x, '[''"]' || field || '[''"]: *[''"]([A-Za-z0-9_-]+)[''"]', 1), '');

-- Langfuse's kinds of usage stand beside each other, and what begins with `input` makes up the input;
-- unless the total says that `input` is the whole. Cached and reasoning tokens are read apart.
create or replace temp macro whole(kinds, part) as case
    when as_count(kinds['total']) = as_count(kinds['input']) + as_count(kinds['output'])
        then given(kinds[part])
    else coalesce(
        cast(as_count(kinds[part]) + count_of(list_transform(
            list_filter(
                map_keys(kinds),
                lambda kind: starts_with(kind, part || '_') and not regexp_matches(
                    kind, '^(in|out)put_(tokens$|cache|ephemeral|reasoning|priority|.*prediction)'
                )
            ),
            lambda kind: kinds[kind]
        )) as varchar),
        given(kinds[part])
    )
end;

create or replace temp macro of_kind(kinds, part, modality) as coalesce(
    kinds[part || '_' || modality || '_tokens'], kinds[part || '_' || modality],
    kinds[part || '_modality_' || upper(modality)]
);

-- Google's lists of tokens by modality.
create or replace temp macro of_modality(details, kind) as cast(count_of(nullif(list_transform(
    list_filter(details, lambda detail: upper(detail.modality) = kind),
    lambda detail: detail."tokenCount"
), [])) as varchar);

-- Attributes as OpenTelemetry has them: their text, and which of some names are told.
create or replace temp macro attribute_text(x) as
    coalesce(x."stringValue", x."intValue", x."doubleValue", x."boolValue");

create or replace temp macro told_by(names, attributes) as
    list_filter(names, lambda name: given(attributes[name]) is not null)[1];

-- The names that the organisation's settings add; none outside of ingestion.
create or replace temp macro further(setting) as coalesce(getvariable(setting), []::varchar[]);

create or replace temp macro further_told(setting, attributes) as
    given(attributes[told_by(further(setting), attributes)]);

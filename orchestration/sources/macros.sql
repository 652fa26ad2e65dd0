-- Reading text as values, and saying what is wrong with it. Every landed value comes as text, so
-- that a value of the wrong type is a rejected record with a reason and never a silent null.

create or replace temp macro given(x) as nullif(trim(x), '');

-- ISO 8601, with a zone or in UTC, or seconds since 1970.
create or replace temp macro as_time(x) as coalesce(
    make_timestamp(try_cast(try_cast(given(x) as decimal(20, 6)) * 1000000 as bigint)),
    cast(try_cast(given(x) as timestamptz) as timestamp)
);

-- 12 and 12.0 are whole numbers.
create or replace temp macro as_count(x) as
    try_cast(try_cast(given(x) as decimal(38, 6)) as bigint);

create or replace temp macro as_money(x) as try_cast(given(x) as decimal(20, 12));

create or replace temp macro as_flag(x) as try_cast(given(x) as boolean);

create or replace temp macro missing(x, field) as
    case when given(x) is null then field || ' is missing' end;

create or replace temp macro bad_time(x, field) as case
    when given(x) is null then null
    when as_time(x) is null then field || ' is not a time'
    when as_time(x) < timestamp '2000-01-01' then field || ' is before the year 2000'
    when as_time(x) > cast(now() as timestamp) + interval 1 hour then field || ' is in the future'
end;

create or replace temp macro bad_number(x, field, largest) as case
    when given(x) is null then null
    when try_cast(given(x) as double) is null or not isfinite(try_cast(given(x) as double))
        then field || ' is not a number'
    when try_cast(given(x) as double) < 0 then field || ' is negative'
    when try_cast(given(x) as double) > largest then field || ' is absurdly large'
end;

-- A request of more than a billion tokens is a fault of whoever counted.
create or replace temp macro bad_count(x, field) as coalesce(
    bad_number(x, field, 1e9),
    case
        when try_cast(given(x) as double) <> floor(try_cast(given(x) as double))
            then field || ' is not a whole number'
    end
);

-- A request of more than 30 days, or of more than a million dollars, is a fault as well.
create or replace temp macro bad_duration(x, field) as bad_number(x, field, 2592000000);

create or replace temp macro bad_money(x, field) as bad_number(x, field, 1e6);

create or replace temp macro bad_flag(x, field) as
    case when given(x) is not null and as_flag(x) is null then field || ' is not true or false' end;

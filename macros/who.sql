{# Whose request it was, decided from the record alone and for all sources here. The key's owner is
   the user; where there is none, or the key is one that people share (the setting shared_keys), it is
   whom the record names as end user. A key without an owner is a service. What no person asked for
   is kept under a name of its own. Names in brackets are ours: such a user is nobody active. #}
{% macro user_of(owner_id, end_user_id, key_alias, not_by_a_person) -%}
    case
        when {{ not_by_a_person }} is not null then '(' || {{ not_by_a_person }} || ')'
        when
            {{ is_an_id(end_user_id) }}
            and (({{ is_an_id(owner_id) }}) is not true or {{ is_shared_key(owner_id) }})
            then {{ told_id(end_user_id) }}
        when {{ is_an_id(owner_id) }} and {{ owner_id }} <> 'default_user_id'
            then {{ told_id(owner_id) }}
        when {{ key_alias }} is not null then '(service) ' || {{ key_alias }}
        when {{ is_an_id(owner_id) }} then {{ told_id(owner_id) }}
    end
{%- endmacro %}

{# Whether a key's owner is one that people share, by the patterns of the setting shared_keys. #}
{% macro is_shared_key(owner_id) -%}
    (
        {%- for pattern in setting('shared_keys').split(',') %}
            {{ 'or ' if not loop.first }}{{ owner_id }} glob '{{ pattern | replace("'", "''") }}'
        {%- endfor %}
    )
{%- endmacro %}

{# A told id as it is published. One that looks like a name of ours is somebody else's; but who was
   forgotten bears ours in raw/ already. #}
{% macro told_id(id) -%}
    case
        when starts_with({{ id }}, '(') and {{ id }} <> '(forgotten)' then 'user ' || {{ id }}
        else {{ id }}
    end
{%- endmacro %}

{# Whether a user is a person: neither unknown, nor a service, nor a health check. #}
{% macro is_person(user_id) -%}
    (not starts_with({{ user_id }}, '(') or {{ user_id }} = '(forgotten)')
{%- endmacro %}

{# Reports count requests without a user under a name that says so, since no grain may be null. #}
{% macro known_user(user_id) -%}
    coalesce({{ user_id }}, '(unknown)')
{%- endmacro %}

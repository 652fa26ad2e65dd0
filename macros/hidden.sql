{# Whether the organisation hides who its users are. #}
{% macro users_are_hidden() -%}
    {{ return(setting('hide_users') | lower == 'true') }}
{%- endmacro %}

{# A user's id, as a keyed hash where users are hidden. Hashed twice, since an outer hash keeps the
   inner one from being extended (Bellare, Canetti, Krawczyk: Keying Hash Functions for Message
   Authentication). The key is set by orchestration/warehouse/plugins/hash_users.py, and stands in no
   SQL. #}
{% macro hidden(user_id) -%}
    {%- if users_are_hidden() -%}
    left(
        sha256(getvariable('hiding_key') || sha256(getvariable('hiding_key') || {{ user_id }})), 24
    )
    {%- else -%}
    {{ user_id }}
    {%- endif -%}
{%- endmacro %}

{# The same of a user as user_of names them: a name of ours stays, but for the service's in it. #}
{% macro hidden_user(user_id) -%}
    {%- if users_are_hidden() -%}
    case
        when starts_with({{ user_id }}, '(service) ')
            then '(service) ' || {{ hidden("substr(" ~ user_id ~ ", 11)") }}
        when starts_with({{ user_id }}, '(') then {{ user_id }}
        else {{ hidden(user_id) }}
    end
    {%- else -%}
    {{ user_id }}
    {%- endif -%}
{%- endmacro %}

{# Tells whether users are hidden, and by which key, without telling the key. #}
{% macro hiding_version() -%}
    {{ hidden("'which key'") if users_are_hidden() else "'shown'" }}
{%- endmacro %}

{# Without a key all users would become one that is unknown. #}
{% macro refuse_hiding_without_key() -%}
    {%- if execute and users_are_hidden() -%}
        {%- set has_key = "select getvariable('hiding_key') is not null" -%}
        {%- if not run_query(has_key).columns[0][0] -%}
            {{ exceptions.raise_compiler_error(
                'hide_users is on, but AI_USAGE_HIDING_KEY is not set in the environment.'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# Whether a row of int_teams holds for the user and the day of a row: its team goes before what is
   told. #}
{% macro is_in_team(teams, rows) -%}
    {{ rows }}.user_id = {{ teams }}.user_id
    and {{ rows }}.usage_date >= {{ teams }}.valid_from
    and {{ rows }}.usage_date < {{ teams }}.valid_to
{%- endmacro %}

{# Reports count requests without a team under a name that says so, since no grain may be null. #}
{% macro known_team(team_id) -%}
    coalesce({{ team_id }}, '(no team)')
{%- endmacro %}

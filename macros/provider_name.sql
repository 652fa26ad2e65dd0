{# The provider's name as genai-prices writes it, whatever a gateway or an instrumentation calls
   it. Names not listed here stay as they are; null stays null. #}
{% macro provider_name(reported) -%}
    case lower({{ reported }})
        when 'gemini' then 'google'
        when 'vertex_ai' then 'google'
        when 'gcp.gemini' then 'google'
        when 'gcp.vertex_ai' then 'google'
        when 'gcp.gen_ai' then 'google'
        when 'bedrock' then 'aws'
        when 'aws.bedrock' then 'aws'
        when 'azure_ai' then 'azure'
        when 'az.ai.openai' then 'azure'
        when 'az.ai.inference' then 'azure'
        when 'azure.ai.openai' then 'azure'
        when 'azure.ai.inference' then 'azure'
        when 'mistral_ai' then 'mistral'
        when 'xai' then 'x-ai'
        when 'x_ai' then 'x-ai'
        when 'together_ai' then 'together'
        when 'fireworks_ai' then 'fireworks'
        else lower({{ reported }})
    end
{%- endmacro %}

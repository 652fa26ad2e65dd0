{# The provider's name as genai-prices writes it, whatever a gateway or an SDK calls it, and which of
   its interfaces was used (openai.chat). Names not listed stay as they are. A framework runs no
   model: then the model's name tells who does, where it does so beyond doubt. Else null. #}
{% macro provider_name(reported, model) -%}
    {%- set aliases = {
        'anthropic': ['claude', 'anthropic_text', 'chatanthropic'],
        'aws': ['bedrock', 'bedrock.anthropic', 'chatbedrock', 'bedrock_converse', 'bedrock-converse', 'aws.bedrock', 'aws_bedrock',
            'aws-bedrock', 'amazon-bedrock', 'amazon_bedrock'],
        'azure': ['azurechatopenai', 'azure_ai', 'azure_openai', 'azure-openai', 'azureopenai', 'az.ai.openai',
            'az.ai.inference', 'azure.ai.openai', 'azure.ai.inference'],
        'cohere': ['cohere_chat'],
        'fireworks': ['fireworks_ai', 'fireworks-ai'],
        'google': ['gemini', 'vertex', 'vertex.anthropic', 'vertex_ai-anthropic_models',
            'anthropicvertex', 'vertexai', 'vertex_ai', 'vertex_ai_beta', 'google_vertex',
            'google-vertex', 'google.vertex', 'google_genai', 'google-genai', 'google-gla',
            'google.generative-ai', 'gcp.gemini', 'gcp.vertex_ai', 'gcp.gen_ai'],
        'mistral': ['mistral_ai', 'mistralai', 'codestral'],
        'moonshotai': ['moonshot'],
        'openai': ['chatopenai', 'openai_text', 'text-completion-openai', 'openai_responses'],
        'perplexity': ['perplexity_ai'],
        'together': ['together_ai', 'togetherai'],
        'voyageai': ['voyage'],
        'x-ai': ['xai', 'x_ai'],
    } -%}
    {%- set no_providers = [
        '', 'unknown', 'none', '_other', 'agno', 'autogen', 'crewai', 'dspy', 'gcp.vertex.agent', 'haystack',
        'langchain', 'langgraph', 'litellm', 'litellm_proxy', 'llama_index', 'llamaindex',
        'microsoft.agent_framework', 'openai_agents', 'pydantic_ai', 'semantic_kernel', 'smolagents',
        'spring_ai', 'strands', 'strands-agents', 'vercel'
    ] -%}
    {%- set name = "regexp_replace(lower(" ~ reported ~ "), '[.](chat|completion|messages|responses|(text)?embeddings?|image|speech|transcription)$', '')" -%}
    coalesce(
        case
            {%- for provider, names in aliases.items() %}
                when {{ name }} in ('{{ names | join("', '") }}') then '{{ provider }}'
            {%- endfor %}
            when {{ name }} not in ('{{ no_providers | join("', '") }}') then {{ name }}
        end,
        case
            when regexp_matches({{ model }}, '(^|/)(gpt-[0-9]|o[134](-|$))') then 'openai'
            when {{ model }} like 'claude-%' then 'anthropic'
            when {{ model }} like 'gemini-%' then 'google'
            when regexp_matches({{ model }}, '^([a-z]+[.])?(anthropic[.]claude|amazon[.](nova|titan))')
                then 'aws'
        end
    )
{%- endmacro %}

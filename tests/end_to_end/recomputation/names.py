"""What providers, models and AI services are called, whatever a sender calls them."""

import csv
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

AI_SERVICES = Path(__file__).resolve().parents[3] / "seeds/ai_services.csv"
INTERFACE = re.compile(r"\.(chat|completion|messages|responses)$")
# Others' names of providers, as far as tests land them.
PROVIDERS = {
    "az.ai.openai": "azure",
    "azure_ai": "azure",
    "bedrock": "aws",
    "aws.bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.vertex.agent": "google",
    "gemini": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "xai": "x-ai",
}
# They run no model.
FRAMEWORKS = {"langchain", "strands-agents", "litellm", "litellm_proxy", "unknown"}
# Whose a model is beyond doubt.
FAMILIES = (
    (re.compile(r"(gpt-\d|o[134](-|$))"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"gemini-"), "google"),
    (re.compile(r"([a-z]+\.)?(anthropic\.claude|amazon\.(nova|titan))"), "aws"),
)
RESOURCE = re.compile(r"(publishers/[^/]+/models|models|converse|invoke)/")
DATA_ZONE = re.compile(r"(eu|us|global)/")

STANDARD = ("default", "standard", "auto", "on_demand", "standard_only", "normal", "regular")


def provider_name(told: str | None, model: str | None) -> str | None:
    name = INTERFACE.sub("", (told or "").lower())
    if name and name not in FRAMEWORKS:
        return PROVIDERS.get(name, name)
    return next((owner for family, owner in FAMILIES if family.match(model or "")), None)


def model_name(provider: str | None, model: str | None) -> str:
    """A model as its provider calls it; of one at a router the vendor before it stays."""
    if not model:
        return "unknown"
    before, _, name = model.partition("/")
    if name and provider == provider_name(before, None):
        return RESOURCE.sub("", name, count=1) if RESOURCE.match(name) else name
    zone = provider == "azure" and DATA_ZONE.match(model)
    way = zone or RESOURCE.match(model)
    return model[way.end() :] if way else model


def service_tier(told: str | None) -> str | None:
    """What it is called where it is priced; Google says ON_DEMAND_FLEX."""
    if told is None:
        return None
    name = told.lower().replace("-", "_")
    return "standard" if name in STANDARD else name.removeprefix("on_demand_")


def region_name(
    told: str | None, provider: str | None = None, model: str | None = None
) -> str | None:
    """Where the model ran, if anywhere in particular; Azure says it before the model."""
    zone = DATA_ZONE.match((model or "").removeprefix("azure/")) if provider == "azure" else None
    name = (told or (zone[1] if zone else "")).strip().lower()
    return None if name in ("", "global", "not_available") else name


@cache
def ai_service(provider: str, model: str) -> str:
    """The name of the longest pattern that matches, else the provider's."""
    with AI_SERVICES.open(newline="", encoding="utf-8") as file:
        names = {
            rule["model_pattern"]: rule["ai_service"]
            for rule in csv.DictReader(file)
            if rule["provider"] == provider and fnmatchcase(model, rule["model_pattern"])
        }
    return names[max(names, key=len)] if names else provider

"""What providers, models and AI services are called, whatever a sender calls them."""

import csv
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

AI_SERVICES = Path(__file__).resolve().parents[3] / "seeds/ai_services.csv"
PROVIDERS = {"gcp.gemini": "google", "gemini": "google", "vertex_ai": "google"}
PROVIDERS |= {"aws.bedrock": "aws", "bedrock": "aws", "xai": "x-ai"}


def provider_name(name: str | None) -> str | None:
    return PROVIDERS.get(name.lower(), name.lower()) if name else None


def model_name(provider: str | None, model: str | None) -> str | None:
    """A model as its provider calls it; `provider` is as the sender calls it."""
    if not model or not provider:
        return model
    return model.removeprefix(f"{provider}/")


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

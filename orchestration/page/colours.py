"""Colours: the hue tells the provider, the lightness the service."""

from colorsys import hls_to_rgb
from itertools import cycle

# Hue, saturation and lightness. Neighbours differ in lightness as well as in hue.
_PROVIDERS = {
    "openai": (172, 72, 31),
    "anthropic": (18, 62, 57),
    "google": (217, 72, 48),
    "mistral": (42, 84, 48),
    "aws": (30, 45, 38),
    "azure": (199, 70, 52),
    "deepseek": (256, 48, 55),
    "x-ai": (220, 12, 36),
    "cohere": (324, 46, 50),
    "groq": (8, 70, 42),
    "openrouter": (280, 30, 62),
    "perplexity": (188, 50, 42),
}
_OTHERS = ((262, 42, 60), (330, 50, 46), (220, 10, 55), (88, 38, 44), (200, 60, 62), (28, 50, 40))
# What is no AI: shades of one accent and two quiet hues.
_CATEGORIES = (
    (217, 72, 48),
    (199, 70, 66),
    (42, 84, 55),
    (172, 60, 36),
    (324, 40, 52),
    (220, 9, 62),
)
_LIGHTER = (0, 16, 28, -10, 36)


def of_services(services: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return a colour for the light and one for the dark page, of each (service, providers)."""
    spare = cycle([*_OTHERS, *((hue, sat, light + 20) for hue, sat, light in _OTHERS)])
    hues: dict[str, tuple[int, int, int]] = {}
    used: dict[str, int] = {}
    colours = []
    for _, providers in services:
        provider = providers.split(",")[0].strip()
        if provider not in hues:
            hues[provider] = _PROVIDERS.get(provider) or next(spare)
        shade = used[provider] = used.get(provider, -1) + 1
        colours.append(_pair(hues[provider], _LIGHTER[shade % len(_LIGHTER)]))
    return colours


def of_categories() -> list[tuple[str, str]]:
    """Return colours for token types, percentiles and whatever else is no AI."""
    return [_pair(colour, 0) for colour in _CATEGORIES]


def _pair(colour: tuple[int, int, int], lighter: int) -> tuple[str, str]:
    hue, saturation, lightness = colour
    lightness = min(82, max(22, lightness + lighter))
    dark = min(84, max(42, lightness + 8))
    return _hex(hue, saturation, lightness), _hex(hue, max(saturation - 8, 5), dark)


def _hex(hue: int, saturation: int, lightness: int) -> str:
    rgb = hls_to_rgb(hue / 360, lightness / 100, saturation / 100)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)

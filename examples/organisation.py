"""Who works in the simulated organisation, and which AIs there are."""

import json
from random import Random
from typing import NamedTuple

TEAMS = ("data", "platform", "product", "research", "sales", "support")
FIRST = "anna ben clara david emma felix grace hugo ines jonas kate leo maria"
LAST = "adams brown costa diaz evans fischer garcia hughes ito jensen khan"
NEVER = 10**6
NIGHTLY = "nightly.report@acme.example"  # asks at midnight: its two records are a day apart


class Model(NamedTuple):
    """One AI. Prices are in 1e-10 USD a token; -1: the source reports no cost."""

    source: str
    provider: str
    name: str
    uncached_price: int
    read_price: int
    write_price: int
    output_price: int
    typical_input: int
    typical_output: int  # 0: it makes embeddings
    reasoning: float  # its share of the output
    cached: float  # how often a part of the prompt is
    first_token: float  # seconds
    speed: int  # tokens a second
    popularity: int


class Part(NamedTuple):
    """A part of a model's tokens of one type that has a price of its own, a meter."""

    meter: str
    of: int  # the type, by its place in the tokens of a request
    at_most: float  # its share of what no part before it took; 1: all of that
    price: int


class User(NamedTuple):
    """A person, from the day they join; hours are of the local clock."""

    id: str
    name: str
    team: str
    joins: int
    utc_offset_hours: float
    starts_hour: float
    works_hours: float
    sessions_per_day: float
    taste: list[float]  # how much they like each of the models
    old_dialect: bool
    next_team: str
    moves: int  # the day on which they change teams, if it ever comes

    def team_on(self, day: int) -> str:
        """Whose budget their requests of a day are on."""
        return self.next_team if day >= self.moves else self.team


class Error(NamedTuple):
    """A way to fail, as LiteLLM calls it."""

    code: str
    name: str
    may_pass: bool  # another try may help
    seconds: float


ERRORS = (
    Error("429", "RateLimitError", True, 0.3),
    Error("400", "ContextWindowExceededError", False, 0.4),
    Error("401", "AuthenticationError", False, 0.15),
    Error("408", "Timeout", True, 60),
    Error("server_error", "InternalServerError", True, 2),
)
MODEL_TABLE = """
litellm openai     gpt-5                  12500 1250  0     100000 1200 700 0.5 0.4 0.9  70  6
litellm openai     gpt-4o                 25000 12500 0     100000 900  350 0   0.3 0.5  90  5
litellm openai     gpt-4o-mini            1500  750   0     6000   600  250 0   0.2 0.45 90  5
litellm openai     o3-mini                11000 5500  0     44000  700  900 0.6 0.1 0.6  150 2
litellm openai     text-embedding-3-small 200   0     0     0      400  0   0   0   0.15 1   3
litellm gemini     gemini-2.5-flash-image 3000  0     0     25000  300  1500 0  0   2    300 2
litellm anthropic  claude-sonnet-4-5      30000 3000  37500 150000 4000 600 0   0.7 1.1  65  9
litellm anthropic  claude-haiku-4-5       10000 1000  12500 50000  1500 300 0   0.5 0.5  140 4
otel    gcp.gemini gemini-2.5-pro         -1    0     0     0      1500 800 0.4 0.3 1.5  120 5
otel    gcp.gemini gemini-2.5-flash       -1    0     0     0      800  300 0.2 0.2 0.4  200 5
otel    openai     gpt-5-mini             -1    0     0     0      900  500 0.4 0.3 0.6  110 3
gateway mistral    mistral-large-latest   20000 0     0     60000  900  400 0   0   0.6  50  5
gateway openai     gpt-realtime           40000 4000  0     160000 1500 500 0   0.6 0.3  60  2
gateway google     gemini-3.8-live        7500  0     0     45000  1200 400 0   0   0.3  90  1
gateway acme       acme-chat-70b          -1    0     0     0      700  300 0.1 0.2 0.3  40  6
"""
ROWS = [line.split() for line in MODEL_TABLE.strip().splitlines()]
MODELS = [Model(*row[:3], *(json.loads(number) for number in row[3:])) for row in ROWS]
PART_TABLE = """
claude-sonnet-4-5      cache_write_1h   2 0.5 60000
claude-sonnet-4-5      cache_write_5m   2 1   37500
claude-haiku-4-5       cache_write_5m   2 1   12500
gemini-2.5-flash-image output_image     3 0.9 300000
gpt-realtime           input_audio      0 0.9 320000
gpt-realtime           input_image      0 0.5 50000
gpt-realtime           cache_audio_read 1 0.9 4000
gpt-realtime           output_audio     3 0.9 640000
gemini-3.8-live        input_audio      0 0.6 30000
gemini-3.8-live        input_image      0 0.6 10000
gemini-3.8-live        input_video      0 0.6 10000
gemini-3.8-live        output_audio     3 0.9 120000
"""
PARTS: dict[str, list[Part]] = {model.name: [] for model in MODELS}
for model_name, meter, *numbers in map(str.split, PART_TABLE.strip().splitlines()):
    PARTS[model_name].append(Part(meter, *(json.loads(number) for number in numbers)))
METERS = tuple(sorted({part.meter for parts in PARTS.values() for part in parts}))
# Which tiers a model is asked at, None where none is told; and what half of its price then becomes.
TIERS = {
    "gpt-5": (None, None, "flex", "priority"),
    "gpt-5-mini": ("default", "default", "flex"),
    "mistral-large-latest": (None, "default", "batch"),
}
HALVES = {"flex": 1, "batch": 1, "priority": 4}
SEARCHES, WEB_SEARCH_PRICE = ("claude-sonnet-4-5",), 10**8
POPULARITY = [m.popularity for m in MODELS]
CHAT = [m for m in MODELS if m.source == "litellm" and m.typical_output]


def people(rng: Random, users: int, first: int, days: int) -> list[User]:
    """Make the users: two thirds are there from the start, the others join later."""
    names, made = FIRST.split(), []
    for i in range(users):
        n = i // len(names)
        surname = LAST.split()[(i + n) % 11] + (str(n // 11) if n >= 11 else "")
        name = f"{names[i % len(names)]}.{surname}@acme.example"
        favourite = rng.choices(MODELS, POPULARITY)[0].provider
        taste = [
            m.popularity * (20 if m.provider == favourite else 1) * rng.random() for m in MODELS
        ]
        if i in (1, 2):
            taste = [float(m.source == "gateway") for m in MODELS]
        elif i == 3:
            taste = [float(m == CHAT[-1]) for m in MODELS]
        user = User(
            id=NIGHTLY if i == 3 else name,
            name=name.split("@")[0].replace(".", " ").title(),
            team=TEAMS[i % len(TEAMS)],
            joins=first + (rng.randrange(days * 4 // 5 + 1) if i > 3 and i % 3 == 0 else 0),
            utc_offset_hours=rng.choice((-8, -5, 0, 0, 1, 1, 5.5)),
            starts_hour=rng.uniform(7, 10),
            works_hours=rng.uniform(7, 11),
            sessions_per_day=1.75 * rng.lognormvariate(0, 0.5),
            taste=taste,
            old_dialect=i % 2 == 0,
            next_team=TEAMS[(i + 1) % len(TEAMS)],
            moves=first + days // 2 if i % 5 == 4 else NEVER,
        )
        made.append(user)
    return made

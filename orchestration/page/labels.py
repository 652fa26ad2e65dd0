"""What a measure is called on the page, and its unit: both stand in the column's name."""

_UNITS = {"_usd": "usd", "_ms": "ms", "_s": "s", "_share": "share", "_rate": "share"}
_CALLED = {
    "total_tokens_difference": "Tokens more",
    "requests_difference": "Requests more",
    "cost_usd_difference": "Cost more",
    "total_tokens": "Tokens",
    "cost_usd": "Cost",
    "reported_cost_usd": "Charged by gateway",
    "cost_per_million_tokens_usd": "Per million tokens",
    "avg_time_to_first_token_ms": "Mean time to first token",
    "avg_response_time_ms": "Mean response time",
    "output_tokens_per_second": "Output tokens per second",
    "unpriced_share": "Unpriced",
}
_WORDS = {"avg": "Mean", "p50": "Median", "median": "Median", "ai": "AI"}


def unit(measure: str) -> str:
    """Return usd, ms, s, share or count."""
    measure = measure.removesuffix("_before").removesuffix("_difference")
    return next((kind for end, kind in _UNITS.items() if measure.endswith(end)), "count")


def label(measure: str) -> str:
    """Return a measure's name in a few words: p95_response_time_ms is p95."""
    if measure in _CALLED:
        return _CALLED[measure]
    words = measure.split("_")
    if words[-1] in ("usd", "ms", "s"):
        words.pop()
    if words[0] in ("p50", "p95", "p99", "median"):
        return _WORDS.get(words[0], words[0])
    words[0] = _WORDS.get(words[0], words[0].capitalize())
    return " ".join(words)

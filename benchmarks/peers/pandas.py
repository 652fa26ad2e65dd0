"""The reports in pandas: read_json by Arrow, keys as categories or whole numbers, sums by groupby.

Money is exact: whole multiples of the largest unit that divides every price, in 64 bits, which
raises rather than overflows; a report gets it as DECIMAL. Durations are whole microseconds.
"""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.peers import measure

CATEGORIES = ["provider", "model", "user_id", "session_id", "prompt_id"]
TOKEN_TYPES = [
    "input_uncached_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens_without_reasoning",
    "reasoning_tokens",
]
PRICES = ["input_uncached", "cache_read", "cache_write", "output", "reasoning"]
IDLE = np.timedelta64(30, "m")
MICROSECONDS_A_DAY = 86_400_000_000
# As the gateway wrote it: it has no more decimals than these.
REPORTED_UNIT = Decimal("1e-12")


class Pandas:
    """The state of the peer: events, then `requests`, then `reports` by name."""

    def load(self, events: str, prices: str, services: str) -> None:
        """Read the events, each column into the type in which it groups and adds up fastest."""
        frame = pd.read_json(events, lines=True, engine="pyarrow", dtype_backend="pyarrow")
        self.services = pd.read_parquet(services)
        self.prices = pq.read_table(prices)
        loaded = {name: frame[name].astype("category") for name in CATEGORIES}
        # Codes of text that no report shows.
        loaded["request_id"] = frame["request_id"].factorize()[0]
        for name in ("session_id", "prompt_id"):
            loaded[name] = loaded[name].cat.codes
        times = pd.to_datetime(frame["requested_at"].astype("str"), format="ISO8601", utc=True)
        loaded["requested_at"] = times.dt.tz_localize(None).astype("datetime64[us]")
        for name in ("input", "cache_read", "cache_write", "output", "reasoning"):
            loaded[f"{name}_tokens"] = frame[f"{name}_tokens"].astype("int64")
        for name in ("response_time", "time_to_first_token"):
            loaded[f"{name}_us"] = (frame[f"{name}_ms"].astype("float64") * 1000).round()
        loaded["is_success"] = (frame["status"] == "success").astype(bool)
        loaded["is_cache_hit"] = frame["is_cache_hit"].astype(bool)
        reported = frame["cost_usd"].astype("float64")
        loaded["reported_cost"] = bounded((reported * float(1 / REPORTED_UNIT)).round())
        self.events = pd.DataFrame(loaded)
        self.landed_at = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "us")

    def report(self) -> None:
        """Compute every report of floor.sql."""
        self.reports: dict[str, pd.DataFrame] = {}
        self.requests = self.priced(with_sessions(self.events.drop_duplicates("request_id")))
        self.day_reports()
        self.sums()
        self.hour_reports()
        self.trends()
        self.session_reports()
        self.quality()

    def priced(self, requests: pd.DataFrame) -> pd.DataFrame:
        """Add the AI service, token types, times and the exact cost, in multiples of self.unit."""
        r = requests.reset_index(drop=True)
        r["ai_service"] = (
            r["provider"].map(self.services.set_index("provider")["ai_service"]).astype("category")
        )
        r["input_uncached_tokens"] = (
            r["input_tokens"] - r["cache_read_tokens"] - r["cache_write_tokens"]
        )
        r["output_tokens_without_reasoning"] = r["output_tokens"] - r["reasoning_tokens"]
        r["total_tokens"] = r["input_tokens"] + r["output_tokens"]
        r["usage_date"] = r["requested_at"].dt.floor("D")
        r["usage_hour"] = r["requested_at"].dt.floor("h")
        r["completed_at"] = r["requested_at"] + r["response_time_us"].astype("timedelta64[us]")
        cell, unit_prices = self.price_cells(r)
        r["is_unpriced"] = cell < 0
        is_free = r["is_cache_hit"] | (~r["is_success"] & (r["total_tokens"] == 0))
        most = r["total_tokens"].max() * int(unit_prices.max()) * len(r)
        if most >= 2**63:
            raise OverflowError("These costs need more than 64 bits.")
        r["cost"] = sum(
            r[tokens] * unit_prices[cell, column] for column, tokens in enumerate(TOKEN_TYPES)
        )
        r.loc[is_free | r["is_unpriced"], "cost"] = 0
        r["has_cost"] = is_free | ~r["is_unpriced"]
        r["unpriced_tokens"] = r["total_tokens"].where(~r["has_cost"], 0)
        r["responses"] = r["is_success"]
        r["failed_requests"] = ~r["is_success"]
        for name in ("response_time_us", "time_to_first_token_us"):
            r[name] = r[name].where(r["is_success"])
        r["response_output_tokens"] = r["output_tokens"].where(r["is_success"])
        return r

    def price_cells(self, requests: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return each request's row of the price table, -1 for none, and the prices of the rows."""
        decimals = np.array(
            [self.prices[f"{name}_price"].to_pylist() for name in PRICES], dtype=object
        ).T
        # Of a token, in 1e-18 USD: 12 decimals of the price of a million, and six of a million.
        whole = np.array([[int(price.scaleb(12)) for price in row] for row in decimals], "int64")
        divisor = int(np.gcd.reduce(whole, axis=None))
        self.unit = Decimal(divisor).scaleb(-18)
        cells = pd.DataFrame(
            {
                name: self.prices[name].to_pandas()
                for name in ("provider", "model", "valid_from", "valid_to")
            }
            | {
                name: self.prices[name].cast("int64").to_numpy()
                for name in ("daily_from", "daily_to", "input_tokens_above", "input_tokens_up_to")
            }
        )
        cells["cell"] = np.arange(len(cells))
        asked = requests[["provider", "model", "requested_at", "input_tokens"]]
        time_of_day = asked["requested_at"].astype("int64") % MICROSECONDS_A_DAY
        asked = asked.assign(request=asked.index, time_of_day=time_of_day)
        for name in ("provider", "model"):
            cells[name] = cells[name].astype(requests[name].dtype)
        found = asked.merge(cells, on=["provider", "model"])
        found = found[
            (found["requested_at"] >= found["valid_from"])
            & (found["requested_at"] < found["valid_to"])
            & (found["time_of_day"] >= found["daily_from"])
            & (found["time_of_day"] < found["daily_to"])
            & (found["input_tokens"] > found["input_tokens_above"])
            & (found["input_tokens"] <= found["input_tokens_up_to"])
        ]
        cell = np.full(len(requests), -1)
        cell[found["request"]] = found["cell"]
        return cell, whole // divisor

    def day_reports(self) -> None:
        """Compute the reports of a day, by AI, by user and in all."""
        names = {"usage_by_day": [], "usage_by_ai_service": ["ai_service"]}
        names["usage_by_user"] = ["user_id"]
        sums = ["responses", "failed_requests", "input_tokens", "output_tokens", "total_tokens"]
        times = ["response_output_tokens", "response_time_us", "time_to_first_token_us"]
        for name, more in names.items():
            keys = ["usage_date", *more]
            grouped = self.requests.groupby(keys, observed=True)
            day = grouped[sums].sum()
            day[times] = grouped[times].sum(min_count=1)
            day["requests"] = grouped.size()
            for column, counted in {
                "prompts": "prompt_id",
                "sessions": "session_id",
                "active_users": "user_id",
                "ai_services_used": "ai_service",
            }.items():
                day[column] = 1 if counted in keys else grouped[counted].nunique()
            percentiles = grouped["response_time_us"].quantile([0.5, 0.95, 0.99]).unstack() / 1000
            percentiles.columns = [f"p{p}_response_time_ms" for p in (50, 95, 99)]
            day = day.join(percentiles).reset_index()
            day["total_response_time_ms"] = day.pop("response_time_us") / 1000
            day["total_time_to_first_token_ms"] = day.pop("time_to_first_token_us") / 1000
            self.reports[name] = day
            if more:
                self.response_averages(
                    day, keys, name.replace("usage_", "").replace("_service", "")
                )
        by_user = self.reports["usage_by_user"]
        self.reports["user_prompts"] = by_user[
            ["usage_date", "user_id", "prompts", "requests", "responses"]
        ]

    def response_averages(self, day: pd.DataFrame, keys: list[str], by: str) -> None:
        """Derive how well an AI answered, or a user was answered, on a day."""
        output, times = day["response_output_tokens"], day["total_response_time_ms"]
        averages = day[[*keys, "responses", *(c for c in day if c.startswith("p") and "_r" in c)]]
        self.reports[f"response_averages_{by}"] = averages.assign(
            avg_output_tokens=output / day["responses"],
            avg_response_time_ms=times / day["responses"],
            avg_time_to_first_token_ms=day["total_time_to_first_token_ms"] / day["responses"],
            output_tokens_per_second=output * 1000 / times,
            error_rate=day["failed_requests"] / day["requests"],
        )

    def sums(self) -> None:
        """Compute the reports of what adds up, from sums by day, user and model."""
        r = self.requests
        keys = ["usage_date", "user_id", "ai_service", "model"]
        costs = ["cost", "has_cost", "reported_cost", "unpriced_tokens"]
        tokens = ["input_tokens", "output_tokens", "total_tokens"]
        grouped = r.assign(requests=1, timed_responses=r["response_time_us"].notna()).groupby(
            keys, observed=True
        )
        unpriced, timed = ["is_unpriced", "is_derived"], ["response_time_us", "timed_responses"]
        self.daily = (
            grouped[[*costs, *tokens, *TOKEN_TYPES, *unpriced, *timed, "requests"]]
            .sum()
            .reset_index()
        )
        for name, by in {
            "tokens_by_day_and_ai": ["usage_date", "ai_service"],
            "tokens_by_ai": ["ai_service"],
            "tokens_by_user_and_ai": ["user_id", "ai_service"],
        }.items():
            self.reports[name] = self.with_money(
                self.daily.groupby(by, observed=True)[
                    [*tokens, "requests", "cost", "has_cost"]
                ].sum()
            )
        by_ai = self.reports["tokens_by_ai"]
        by_ai["share_of_tokens"] = by_ai["total_tokens"] / by_ai["total_tokens"].sum()
        for name, by in {
            "cost_by_day_and_ai": ["usage_date", "ai_service"],
            "cost_by_day_and_user": ["usage_date", "user_id"],
            "cost_by_day_ai_and_user": ["usage_date", "ai_service", "user_id"],
        }.items():
            self.reports[name] = self.with_money(
                self.daily.groupby(by, observed=True)[["requests", "total_tokens", *costs]].sum()
            )
        details = self.daily.melt(keys, TOKEN_TYPES, "token_type", "tokens")
        self.reports["token_usage_details"] = details[details["tokens"] > 0]

    def hour_reports(self) -> None:
        """Compute the reports of hours, and prompts by AI."""
        keys = ["usage_date", "usage_hour", "ai_service"]
        grouped = self.requests.groupby(keys, observed=True)
        hours = grouped[["failed_requests", "total_tokens", "cost", "has_cost"]].sum()
        hours["requests"] = grouped.size()
        hours["prompts"] = grouped["prompt_id"].nunique()
        hours["active_users"] = grouped["user_id"].nunique()
        hours = self.with_money(hours)
        self.reports["requests_over_time"] = hours[
            ["usage_hour", "ai_service", "requests", "failed_requests", "prompts"]
        ]
        self.reports["time_of_use"] = hours.assign(
            hour_of_day=hours["usage_hour"].dt.hour,
            weekday=hours["usage_date"].dt.isocalendar().day,
        )
        grouped = self.requests.groupby("ai_service", observed=True)
        prompts = grouped["prompt_id"].nunique()
        self.reports["total_prompts_by_ai"] = pd.DataFrame(
            {
                "prompts": prompts,
                "requests": grouped.size(),
                "share_of_prompts": prompts / prompts.sum(),
            }
        ).reset_index()

    def trends(self) -> None:
        """Compute weeks and months, and how requests grew on the period before."""
        by, timed = ["period_start", "ai_service"], ["response_time_us", "timed_responses"]
        parts = []
        for period_type, unit in {"week": "W-SUN", "month": "M"}.items():
            starts = {
                day: day.to_period(unit).start_time for day in self.daily["usage_date"].unique()
            }
            daily = self.daily.assign(period_start=self.daily["usage_date"].map(starts))
            grouped = daily.groupby(by, observed=True)
            part = grouped[["requests", "total_tokens", "cost", "has_cost", *timed]].sum()
            part["active_users"] = grouped["user_id"].nunique()
            requests = self.requests[["ai_service", "prompt_id"]].assign(
                period_start=self.requests["usage_date"].map(starts)
            )
            part["prompts"] = requests.groupby(by, observed=True)["prompt_id"].nunique()
            part["avg_response_time_ms"] = (
                part.pop("response_time_us") / part.pop("timed_responses") / 1000
            )
            before = part.groupby("ai_service", observed=True)["requests"].shift()
            part["requests_growth"] = part["requests"] / before
            parts.append(part.reset_index().assign(period_type=period_type))
        together = pd.concat(parts).set_index("period_type")
        self.reports["long_term_trends"] = self.with_money(together)

    def session_reports(self) -> None:
        """Compute sessions by AI and by user, and the buckets of times."""
        for by in ("ai_service", "user_id"):
            grouped = self.requests.groupby(["session_id", by], observed=True)
            sessions = grouped.agg(
                usage_date=("usage_date", "min"),
                started_at=("requested_at", "min"),
                ended_at=("completed_at", "max"),
                responses=("responses", "sum"),
            )
            sessions["prompts"] = grouped["prompt_id"].nunique()
            length = (sessions["ended_at"] - sessions["started_at"]).dt.as_unit("us")
            sessions["session_length_s"] = length.astype("int64") / 1_000_000
            sessions = sessions.reset_index()
            keys = ["usage_date", by]
            days = sessions.groupby(keys, observed=True)
            averages = days.agg(
                sessions=("session_id", "size"),
                avg_session_length_s=("session_length_s", "mean"),
                avg_prompts_per_session=("prompts", "mean"),
                avg_responses_per_session=("responses", "mean"),
            )
            percentiles = days["session_length_s"].quantile([0.5, 0.95]).unstack()
            percentiles.columns = ["p50_session_length_s", "p95_session_length_s"]
            name = f"session_averages_by_{by.split('_')[0]}"
            self.reports[name] = averages.join(percentiles).reset_index()
            if by == "ai_service":
                lengths = buckets(sessions, sessions["session_length_s"], "sessions")
                self.reports["session_lengths"] = lengths
        timed = self.requests[self.requests["response_time_us"].notna()]
        self.reports["response_times"] = buckets(
            timed, timed["response_time_us"] / 1000, "responses"
        )

    def quality(self) -> None:
        """Compute what was received, and what came of it."""
        days = self.events["requested_at"].dt.floor("D").rename("usage_date")
        is_late = self.landed_at.astype("datetime64[D]") > days + np.timedelta64(1, "D")
        quality = is_late.groupby(days).agg(events_received="size", late_events="sum")
        sums = self.daily.groupby("usage_date")[["requests", "is_unpriced", "is_derived"]].sum()
        sums.columns = ["requests", "unpriced_requests", "requests_without_session"]
        quality = quality.join(sums, how="inner")
        quality["duplicates"] = quality["events_received"] - quality["requests"]
        self.reports["data_quality"] = quality.reset_index()

    def with_money(self, sums: pd.DataFrame) -> pd.DataFrame:
        """Turn whole multiples into DECIMAL, null where nothing had a price; index to columns."""
        report = sums.reset_index()
        is_null = report.pop("has_cost").to_numpy() == 0
        units = {"cost": self.unit, "reported_cost": REPORTED_UNIT}
        for name, unit in units.items():
            if name not in report:
                continue
            whole = pa.array(
                report.pop(name).to_numpy(), mask=is_null if name == "cost" else None
            ).cast(pa.decimal128(19))
            exact = pc.multiply(whole, pa.scalar(unit, pa.decimal128(18, 18)))
            report[f"{name}_usd"] = pd.array(exact, dtype=pd.ArrowDtype(exact.type))
        return report

    def write(self, folder: Path) -> None:
        """Write a Parquet file for each report."""
        for name, report in self.reports.items():
            report.to_parquet(folder / f"{name}.parquet", index=False)


def with_sessions(requests: pd.DataFrame) -> pd.DataFrame:
    """Give requests without a session one: of a user and day, without a pause above 30 minutes."""
    is_derived = requests["session_id"] < 0
    alone = requests[is_derived].sort_values(["user_id", "requested_at", "request_id"])
    user, at = alone["user_id"].cat.codes.to_numpy(), alone["requested_at"].to_numpy()
    begins = np.ones(len(alone), dtype=bool)
    days = at.astype("datetime64[D]")
    begins[1:] = (user[1:] != user[:-1]) | (days[1:] != days[:-1]) | (at[1:] - at[:-1] > IDLE)
    derived = pd.Series(begins.cumsum() + requests["session_id"].max(), index=alone.index)
    session_id = requests["session_id"].astype("int64").where(~is_derived, derived)
    return requests.assign(session_id=session_id.astype("int64"), is_derived=is_derived)


def buckets(rows: pd.DataFrame, values: pd.Series, counted: str) -> pd.DataFrame:
    """Count rows by day, AI and bucket of a twentieth; what is below 1 is in bucket -1."""
    bucket = np.floor(np.log(values.clip(lower=1)) / np.log(1.05)).where(values >= 1, -1)
    keys = ["usage_date", "ai_service", "bucket"]
    return (
        rows[keys[:2]]
        .assign(bucket=bucket)
        .groupby(keys, observed=True)
        .size()
        .reset_index(name=counted)
    )


def bounded(whole: pd.Series) -> pd.Series:
    """Return whole numbers as such, after making sure that their sum fits 64 bits, too."""
    if whole.abs().max() * len(whole) >= 2**63:
        raise OverflowError("These costs need more than 64 bits.")
    return whole.astype("int64")


if __name__ == "__main__":
    peer = Pandas()
    measure(peer.load, peer.report, peer.write)

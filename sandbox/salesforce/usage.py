"""Counts what clients use: API calls against the daily limit, calls by route, rows written.

Owns the numbers. The API counter is kept in the database about once a second: after a kill it may be a second behind.
The rest is in memory and starts again with the server.
"""

from collections import Counter
from typing import Any

from sandbox.salesforce.org import Org

SETTING = "api_calls"


class Usage:
    """The counters of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.calls = int(org.remembered(SETTING) or 0)
        self._kept = self.calls
        self.routes: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()

    def call(self, route: str) -> None:
        """Counts one API call."""
        self.calls += 1
        self.routes[route] += 1

    def wrote(self, sobject: str, operation: str, rows: int) -> None:
        """Counts rows that were written, not those refused."""
        self.rows[f"{sobject} {operation}"] += rows

    @property
    def header(self) -> str:
        """The value of `Sforce-Limit-Info`."""
        return f"api-usage={self.calls}/{self.most}"

    @property
    def most(self) -> int:
        """The calls that the org's settings allow."""
        return int(self._org.settings.api_calls)

    def keep(self) -> None:
        """Makes the API counter durable, if it moved."""
        if self.calls != self._kept:
            calls = self.calls
            self._org.remember(SETTING, str(calls))
            self._kept = calls

    def as_json(self) -> dict[str, Any]:
        """What the admin API tells."""
        return {"api_calls": dict(self.routes), "api_calls_total": self.calls, "rows_written": dict(self.rows)}

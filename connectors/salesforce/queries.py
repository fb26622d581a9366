"""Several queries in one call: the composite resource's request and its answer. Pure.

Source of fact: REST API Developer Guide v66, "Composite": 25 subrequests, five of them queries at most, and the whole is one call. Each query stands in
an address of its own, whose length is limited as that of any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import httpx
import orjson

from connectors.errors import BadAnswer
from connectors.salesforce import soql
from connectors.salesforce.refusals import refusal

__all__ = ["MOST_QUERIES", "asked", "pages"]

MOST_QUERIES: Final = 5
"""Queries in one call."""


def asked(root: str, texts: Sequence[str]) -> dict[str, Any]:
    """The body that asks for the first page of each query.

    Args:
        root: `/services/data/vXX.X`.
        texts: SOQL; no more than `MOST_QUERIES`.
    """
    return {
        "allOrNone": False,
        "compositeRequest": [
            {"method": "GET", "referenceId": f"q{number}", "url": f"{root}/query?q={soql.encoded(text)}"}
            for number, text in enumerate(texts)
        ],
    }


def pages(answer: Any, count: int) -> list[Any]:
    """The first page of each of ``count`` queries, in the order they were asked.

    Raises:
        ConnectorError: One of them was refused; what the others found is not told.
    """
    parts = answer.get("compositeResponse") if isinstance(answer, dict) else None
    named = (
        {part.get("referenceId"): part for part in parts if isinstance(part, dict)} if isinstance(parts, list) else {}
    )
    found = []
    for number in range(count):
        part = named.get(f"q{number}")
        if part is None or not isinstance(part.get("httpStatusCode"), int):
            raise BadAnswer("Salesforce", "a query of several has no answer")
        if part["httpStatusCode"] >= httpx.codes.BAD_REQUEST:
            raise refusal(httpx.Response(part["httpStatusCode"], content=orjson.dumps(part.get("body"))), "query")
        found.append(part.get("body"))
    return found

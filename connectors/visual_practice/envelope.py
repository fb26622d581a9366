"""The envelope of a page in either of its two shapes, and where it says the next page is.

Owns the reading of an answer's envelope. Pure.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from connectors.errors import BadAnswer

__all__ = ["Envelope", "Onward", "read_envelope"]

_SERVICE: Final = "Visual Practice"


class Onward(NamedTuple):
    """What asks for the page after this one.

    Attributes:
        parameter: `page` or `cursor`.
        value: A number, or a text that only the server understands.
        place: Whether it is a place in the listing: rows that leave it meanwhile move nothing. A number is none.
    """

    parameter: str
    value: str
    place: bool


class Envelope(NamedTuple):
    """One page as it came.

    Attributes:
        records: As the API's JSON has them.
        total: Entries of the whole listing.
        onward: None on the last page.
        size: How many entries a full page has, as the answer says it; None when it doesn't.
    """

    records: list[Any]
    total: int
    onward: Onward | None
    size: int | None


def read_envelope(answer: Any, resource: str, told: str | None = None) -> Envelope:
    """The page in an answer.

    Args:
        answer: The JSON.
        resource: What the plain envelope calls its records.
        told: `plain` or `results` when only that is right.

    Raises:
        BadAnswer: It has neither shape, or not the one that was told.
    """
    if isinstance(answer, dict):
        found = None
        if told != "results" and resource in answer:
            found = _plain(answer, resource)
        elif told != "plain" and "results" in answer:
            found = _results(answer)
        if found is not None:
            return found
    raise BadAnswer(_SERVICE, "the page's envelope is not what it should be")


def _plain(answer: Mapping[str, Any], resource: str) -> Envelope | None:
    records, total, links = answer[resource], answer.get("total_entries"), answer.get("links")
    if not (isinstance(records, list) and isinstance(total, int) and isinstance(links, dict)):
        return None
    onward = links.get("next")
    size = _query(links.get("self")).get("per_page", "")
    return Envelope(records, total, None if onward is None else _onward(onward), int(size) if size.isdigit() else None)


def _results(answer: Mapping[str, Any]) -> Envelope | None:
    records = answer["results"]
    total = answer.get("total_entries", answer.get("total_entires"))  # sic: some installations misspell it
    size = answer.get("per_page")
    if not (isinstance(records, list) and isinstance(total, int) and "next" in answer):
        return None
    onward = answer["next"]
    more = answer.get("has_next_page", onward is not None)
    if more is not (onward is not None):
        return None
    return Envelope(
        records, total, None if onward is None else _onward(onward), size if isinstance(size, int) else None
    )


def _onward(text: Any) -> Onward:
    if not isinstance(text, str | int):
        raise BadAnswer(_SERVICE, "the page's envelope is not what it should be")
    query = _query(text)
    for parameter in ("cursor", "page"):
        if value := query.get(parameter):
            return _made(parameter, value)
    if not str(text) or (isinstance(text, str) and "://" in text):
        raise BadAnswer(_SERVICE, "the page says that there is a next one, and not where")
    return _made("cursor", str(text))


def _made(parameter: str, value: str) -> Onward:
    # The feeds are counted by number even where listings go by cursor: then the "cursor" is the number of the next page.
    return Onward(parameter, value, place=parameter == "cursor" and not (value.isdigit() and len(value) < 10))


def _query(url: Any) -> dict[str, str]:
    if not isinstance(url, str):
        return {}
    try:
        return {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    except ValueError:
        return {}

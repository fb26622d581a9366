"""Who owns the records of each member of staff: what is known, how many records wait for it, and an operator's decisions.

Owns the questions to the `owners` topic and to the ledger, and the decisions that `agents.owners` reads.
"""

from __future__ import annotations

import time
from typing import Any

from agents.owner_book import OwnerBook
from agents.ownership import FALLBACK
from connectors.salesforce.session import Salesforce
from connectors.salesforce.soql import quoted
from cutover.ledger.read import Reader
from cutover.outcome import Refused
from cutover.phase import operator
from cutover.publish import publish, publish_to_all
from cutover.settings import Settings
from mapping.rules import MapDocument
from topics.catalogue import OWNER
from topics.codec import Codec
from topics.messages import Decision
from topics.reference import BadReference, split

_ASKED = "SELECT Id, Name, Username, Email, IsActive, UserType FROM User"


async def known(settings: Settings, codec: Codec, reader: Reader) -> list[dict[str, Any]]:
    """Every owner: `owner name email sf_id how code by held`, those who are not known first, then those most records wait for.

    `held` is how many records wait for a decision, those that wait by way of somebody who stands for the owner included.

    Raises:
        KafkaError: No broker answers.
    """
    book = OwnerBook(settings.kafka.bootstrap, settings.catalogue.owners, codec)
    await book.read()
    held = reader.held_by_owner()
    rows = [{**entry, "held": held.get(owner, 0)} for owner, entry in book.entries.items()]
    return sorted(rows, key=lambda row: (row["sf_id"] is not None, -row["held"], row["owner"]))


async def find_user(target: Salesforce, named: str) -> dict[str, Any]:
    """The one active user of the org whose id, user name or e-mail is `named`.

    Raises:
        Refused: There is none, it can't own records, or there are several.
        connectors.errors.ConnectorError: The org can't be asked.
    """
    fields = ("Username", "Email") if "@" in named else ("Id",)
    found: dict[str, dict[str, Any]] = {}
    for field in fields:
        rows = await target.query(f"{_ASKED} WHERE {field} = {quoted(named)}")
        found |= {row["Id"]: row for row in rows}
    if not found:
        raise Refused(f"The org has no user {named}: create the user in Salesforce, or name another one.")
    fit = [row for row in found.values() if row["IsActive"] and row["UserType"] == "Standard"]
    if not fit:
        raise Refused(f"{named} can't own records (inactive, or without a standard licence): name another user.")
    if len(fit) > 1:
        raise Refused(f"{len(fit)} active users have the e-mail {named}: name one by id or user name.")
    return fit[0]


async def decide(settings: Settings, document: MapDocument, codec: Codec, owner: str, sf_id: str) -> None:
    """Says whose the records of `owner` are; for `FALLBACK`, of everybody who is not matched, now or later.

    Raises:
        Refused: `owner` is no owner of this map.
        KafkaUnreachable: No broker answers.
    """
    topic, key = settings.catalogue.sf(OWNER), owner.encode()
    if owner != FALLBACK:
        _check(document, owner)
    decision = Decision(owner=owner, sf_id=sf_id, by=operator(), at=int(time.time() * 1000))
    value = codec.encode("decision", decision, topic=topic, key=key)
    if owner == FALLBACK:
        await publish_to_all(settings.kafka.bootstrap, topic, key, value)
    else:
        await publish(settings.kafka.bootstrap, topic, [(key, value)])


def _check(document: MapDocument, owner: str) -> None:
    try:
        object_, _ = split(owner)
    except BadReference:
        object_ = ""
    if object_ not in document.owners:
        raise Refused(f"{owner} owns nothing: name an owner as `carryover owners` lists it, e.g. user:7.")

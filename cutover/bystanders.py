"""The rows of a demo's org that are not ours: a move leaves them as they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from mapping.rules import ATTACHMENT, RELATION
from topics.catalogue import Catalogue

_ATTACHED = "attachment:"


async def others(url: str) -> dict[str, str]:
    """When each row that is not ours was last touched, by its id.

    Arguments:
        url: of a sandbox's Salesforce.
    """
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        dump = (await client.get("/__admin/dump")).json()
    found: dict[str, str] = {}
    tables = dump.get("objects", dump)
    contacts = {row["Id"] for row in tables["Contact"] if row.get("VP_Id__c")}
    for name in Catalogue().sobjects:
        for row in tables[name]:
            direct = name == RELATION and row["ContactId"] in contacts  # Salesforce's own
            if not _is_ours(name, row) and not direct:
                found[row["Id"]] = f"{row.get('SystemModstamp')} {row.get('IsDeleted')}"
    return found


def _is_ours(sobject: str, row: Mapping[str, Any]) -> bool:
    if sobject == ATTACHMENT:
        return str(row.get("Description") or "").startswith(_ATTACHED)
    return bool(row.get("VP_Id__c"))

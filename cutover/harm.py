"""What goes wrong at both ends while the demo runs: refused requests, ended sessions, locked rows.

Owns the faults that the sandboxes are told to have, and counting how often they struck.
"""

from __future__ import annotations

from typing import Final

import httpx

from sandbox.process import SandboxProcess

_SOURCE_FAULTS: Final = (
    {"route": "GET /v1/", "kind": "429", "limit": "retry_after", "retry_after": 1, "every": 397},
    {"route": "GET /v1/", "kind": "503", "every": 611},
)
_TARGET_FAULTS: Final = (
    {"route": "/services/data", "kind": "expire_session", "every": 41},
    {"route": "/services/data", "kind": "503", "every": 83},
    {
        "route": "(Contact|AccountContactRelation|Event|Opportunity|Insurance_Plan__c|Lab_Result__c|Task)",
        "kind": "lock",
        "every": 199,
    },
)
"""What goes wrong while it runs: every n-th request, and every n-th row that finds its parent locked."""


async def disturb(sandbox: SandboxProcess) -> None:
    """Lets things go wrong from now on."""
    for server, faults in ((sandbox.visual_practice, _SOURCE_FAULTS), (sandbox.salesforce, _TARGET_FAULTS)):
        async with httpx.AsyncClient(base_url=server["url"], timeout=30) as client:
            for fault in faults:
                (await client.post("/__admin/faults", json=fault)).raise_for_status()


async def soothe(sandbox: SandboxProcess) -> int:
    """Takes the faults away; says how often they have struck."""
    struck = 0
    for server in (sandbox.visual_practice, sandbox.salesforce):
        async with httpx.AsyncClient(base_url=server["url"], timeout=30) as client:
            found = (await client.get("/__admin/faults")).json()["faults"]
            struck += sum(fault.get("struck", 0) for fault in found)
            (await client.delete("/__admin/faults")).raise_for_status()
    return struck

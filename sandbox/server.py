"""Brings the two servers up in one process, and down again.

Owns ports, the data directory and the line that tells clients where everything is. Called by `cli`.
"""

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox import certificates
from sandbox.faults import Faults
from sandbox.salesforce.application import application as salesforce_application
from sandbox.salesforce.drift import Drifts
from sandbox.salesforce.org import Org
from sandbox.salesforce.routes.context import SERVICES
from sandbox.visual_practice import admin, generator, papers, pictures, synthea
from sandbox.visual_practice.allowance import Allowance
from sandbox.visual_practice.application import application as practice_application
from sandbox.visual_practice.generator import Sizes
from sandbox.visual_practice.profile import Profile
from sandbox.visual_practice.serving import KEPT_PROFILE
from sandbox.visual_practice.storage import Storage

LONGEST_LINE = 64 * 1024  # bytes of a request line; the Salesforce application refuses earlier, in its own words
SHUTDOWN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What `up` is told. A port of 0 is any free one; `only` is `salesforce`, `visual-practice` or None for both.

    `documents` is how many there shall be, None for as many as come about; `document_bytes` the largest of them then. `pictured_notes` is how many notes have
    images.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port_salesforce: int = 0
    port_salesforce_https: int = 0
    port_visual_practice: int = 0
    only: str | None = None
    practice: str = "generated"
    synthea: Path | None = None
    sizes: Sizes = field(default_factory=Sizes)
    org_rows: int = 0
    fields: bool = True
    requests_per_minute: int | None = None
    rate_variant: str = "retry_after"
    profile: str | None = None
    documents: int | None = None
    document_bytes: int = 4_000_000
    pictured_notes: int = 0


class Servers:
    """The running servers. `start` returns when all ports listen; `stop` closes everything cleanly."""

    def __init__(self, options: Options, card_name: str) -> None:
        self._options, self._card_name = options, card_name
        self._runners: list[web.AppRunner] = []
        self._closing: list[Any] = []
        self.card: dict[str, dict[str, Any]] = {}

    async def start(self) -> dict[str, dict[str, Any]]:
        """Fills the data directory if it is new, listens, and returns the card."""
        options = self._options
        options.data_dir.mkdir(parents=True, exist_ok=True)
        if options.only != "salesforce":
            self.card["visual_practice"] = await self._start_practice()
        if options.only != "visual-practice":
            self.card["salesforce"] = await self._start_salesforce()
        self._write_card()
        return self.card

    def _write_card(self) -> None:
        path = self._options.data_dir / self._card_name
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(known | self.card))
        path.chmod(0o600)

    async def stop(self) -> None:
        """Ends the servers; running requests get half a second."""
        for runner in self._runners:
            await runner.cleanup()
        for each in self._closing:
            each.close()

    async def _listen(self, app: web.Application) -> web.AppRunner:
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=SHUTDOWN_SECONDS,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        await runner.setup()
        self._runners.append(runner)
        return runner

    async def _bind(self, runner: web.AppRunner, port: int, **tls: Any) -> int:
        site = web.TCPSite(runner, self._options.host, port, reuse_address=True, **tls)
        await site.start()
        bound: int = runner.addresses[-1][1]
        return bound

    async def _start_practice(self) -> dict[str, Any]:
        options = self._options
        storage = Storage(options.data_dir / "visual_practice.sqlite")
        self._closing.append(storage)
        await asyncio.to_thread(_fill, storage, options)
        api_key = storage.setting("api_key") or ""
        allowance = Allowance(options.requests_per_minute, options.rate_variant)
        app = practice_application(storage, api_key, Faults(options.sizes.seed, "visual_practice"), allowance)
        admin.add_routes(app)
        port = await self._bind(await self._listen(app), options.port_visual_practice)
        return {"url": f"http://{options.host}:{port}", "api_key": api_key}

    async def _start_salesforce(self) -> dict[str, Any]:
        options = self._options
        folder = options.data_dir / "salesforce"
        org = await asyncio.to_thread(
            Org, folder, rows=options.org_rows, fields=options.fields, seed=options.sizes.seed
        )
        self._closing.append(org)
        org.faults.freeze.holds(org.database)
        org.faults.watchers.append(Drifts(org.schema, org.database, org.faults, org.access.forget).follow)
        app = salesforce_application(org)
        runner = await self._listen(app)
        port = await self._bind(runner, options.port_salesforce)
        secured = certificates.context(folder, options.host)
        https = await self._bind(runner, options.port_salesforce_https, ssl_context=secured[0]) if secured else None
        return {
            "url": f"http://{options.host}:{port}",
            "https_url": f"https://{options.host}:{https}" if https else None,
            "ca_file": str(secured[1]) if secured else None,
            "client_id": org.client_id,
            "client_secret": org.client_secret,
            "username": org.username,
            "password": org.password,
            "security_token": org.security_token,
            "access_token": app[SERVICES].sessions.any(),
        }


def _fill(storage: Storage, options: Options) -> None:
    """Writes the practice once; a fill that was killed is thrown away and done again."""
    if options.profile is not None:
        with storage.writing() as connection:
            storage.remember(connection, KEPT_PROFILE, Profile.parse(options.profile).text)
    state = storage.setting("filled")
    if state == "yes":
        return
    with storage.writing() as connection:
        if state is not None:
            storage.empty(connection)
        storage.remember(connection, "filled", "no")
        storage.remember(connection, "api_key", storage.setting("api_key") or f"vp-{secrets.token_hex(16)}")
    storage.set_wide(wide=options.sizes.is_wide)
    if options.practice in {"synthea", "both"}:
        synthea.write(storage, options.synthea or synthea.FILES, options.sizes.resources)
    if options.practice in {"generated", "both"}:
        generator.write(storage, options.sizes)
    if options.documents is not None:
        papers.fit(storage, options.documents, options.document_bytes, options.sizes.seed)
    if options.pictured_notes:
        pictures.hang(storage, options.pictured_notes, options.sizes.seed)
    with storage.writing() as connection:
        storage.remember(connection, "filled", "yes")

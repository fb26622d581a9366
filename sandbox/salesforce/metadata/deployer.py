"""Carries deploys out in the background, one after the other, and takes up after a restart what a kill interrupted.

Owns the tasks only. Started and stopped by `application`.
"""

import asyncio
import logging

from sandbox.salesforce.metadata.deployments import Deployment, Deployments
from sandbox.salesforce.org import Org
from sandbox.salesforce.switches import Switches

logger = logging.getLogger(__name__)


class Deployer:
    """The background work of one org's deploys."""

    def __init__(self, org: Org, switches: Switches) -> None:
        self._org, self._switches = org, switches
        self.deployments = Deployments(org)
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """Takes up every deploy that has not ended."""
        for identity in self.deployments.pending():
            self._start(identity)

    async def begin(self, user: str, archive: bytes, options: dict[str, object]) -> Deployment:
        """A new deploy, which is carried out soon."""
        made = await self._org.database.write(self.deployments.begin, user, archive, options)
        self._start(made.id)
        return made

    async def again(self, user: str, validated: str) -> Deployment:
        """A quick deploy of a validated one; raises UnknownDeployError."""
        made = await self._org.database.write(self.deployments.again, user, validated)
        self._start(made.id)
        return made

    def _start(self, identity: str) -> None:
        task = asyncio.create_task(self._run(identity), name=f"deploy {identity}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, identity: str) -> None:
        await self._switches.wait("deploy_seconds")
        try:
            await self._org.database.write(self.deployments.run, identity)
        except Exception:
            logger.exception("deploy %s", identity)
            await self._org.database.write(
                self.deployments.fail, identity, "UNKNOWN_EXCEPTION: An unexpected error occurred."
            )

    async def stop(self) -> None:
        """Stops what has not begun; it is taken up at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

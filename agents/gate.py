"""Whether writing to Salesforce is allowed: what the ``control`` topic says, read from its start before the first row.

Nothing is written before the cutover has been started with the very map that this worker has.
"""

from __future__ import annotations

import logging
from typing import Any, Final, cast

from topics.codec import Codec
from topics.messages import Transition
from topics.whole import decoded, followed, open_whole

log = logging.getLogger(__name__)

OPEN_PHASES: Final = frozenset({"SNAPSHOT", "CATCHING_UP", "READY", "CUTOVER", "VERIFYING", "DONE"})


class Gate:
    """Follows the cutover's phase.

    Arguments:
        bootstrap: Kafka.
        topic: the control topic.
        codec: the wire format.
        cutover: id of the cutover, the key of its transitions.
        map_hash: of the map that this worker has.
    """

    def __init__(self, bootstrap: str, topic: str, codec: Codec, cutover: str, map_hash: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._codec = codec
        self._cutover = cutover.encode()
        self._map_hash = map_hash
        self._newest: Transition | None = None
        self._warned = ""

    def finishing(self) -> bool:
        """Whether only what a loader left unfinished may be written: a rollback waits for that, and can only undo what is told."""
        newest = self._newest
        return newest is not None and newest["phase"] == "ROLLING_BACK" and newest["map_hash"] == self._map_hash

    def open(self) -> bool:
        """Whether a row may be written now."""
        newest = self._newest
        if newest is None or newest["phase"] not in OPEN_PHASES:
            return False
        if newest["map_hash"] != self._map_hash:
            if self._warned != newest["map_hash"]:
                self._warned = newest["map_hash"]
                log.error(
                    "the cutover was started with map %s, this worker has %s: nothing is written; start the worker with the confirmed map",
                    newest["map_hash"][:12],
                    self._map_hash[:12],
                )
            return False
        return True

    async def follow(self) -> None:
        """Reads the control topic and goes on reading; runs until cancelled."""
        await followed(self._follow, "the control topic can't be read")

    async def _follow(self) -> None:
        async with open_whole(self._bootstrap, self._topic) as topic:
            found: Transition | None = None
            read_all = False
            while True:
                for record in await topic.records():
                    found = self._transition(record) or found
                read_all = read_all or await topic.caught_up()
                if read_all:
                    self._newest = found

    def _transition(self, record: Any) -> Transition | None:
        if record.key != self._cutover:
            return None
        found = decoded(self._codec, record, "a message of the control topic")
        return cast("Transition", found[1]) if found is not None and found[0] == "transition" else None

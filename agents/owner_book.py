"""Who owns the records of each user of the source, as the `owners` topic says: read from its start, and followed.

For the verifier, which has to know what was decided. A practice has a few hundred at most.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from topics.codec import Codec
from topics.messages import Owner
from topics.whole import decoded, followed, open_whole


class OwnerBook:
    """Follows the decisions.

    Arguments:
        bootstrap: Kafka.
        topic: the `owners` topic.
        codec: the wire format.
    """

    def __init__(self, bootstrap: str, topic: str, codec: Codec) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._codec = codec
        self.entries: dict[str, Owner] = {}

    def of(self, owner: str) -> str | None:
        """The Salesforce id for an owner's reference; None while nobody is known, or the word of it has not come yet."""
        found = self.entries.get(owner)
        return None if found is None else found["sf_id"]

    async def read(self) -> None:
        """Reads what there is now.

        Raises:
            aiokafka.errors.KafkaError: no broker answers.
        """
        await self._read(follow=False)

    async def follow(self) -> None:
        """Reads the topic and goes on reading; runs until cancelled."""
        await followed(partial(self._read, follow=True), "the owners can't be read")

    async def _read(self, *, follow: bool) -> None:
        async with open_whole(self._bootstrap, self._topic) as topic:
            while follow or not await topic.caught_up():
                for record in await topic.records():
                    self._take(record)

    def _take(self, record: Any) -> None:
        found = decoded(self._codec, record, "a message of the owners")
        if found is None:
            return
        owner = cast("Owner", found[1])
        self.entries[owner["owner"]] = owner

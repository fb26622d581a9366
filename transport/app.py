"""A Faust app on the lossless transport."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import faust

from transport.checkpoint import Checkpoint

WINDOW_RECORDS: Final = 4000
_FETCH_BYTES: Final = (
    256 * 1024
)  # of each partition, compressed: a backlog must not fill the memory with what is read ahead


class App(faust.App):
    """A Faust app whose consumer commits through ``checkpoint``.

    Attributes:
        checkpoint: owns publisher and state tables.
        window_records: how many records of a partition may be handed out and unfinished before it is left out of the fetch.
        stall_seconds: how long a partition may stand still with work before the process takes itself down.
        order: topics whose records go first when several have been fetched, first to last; topics not named come after.
    """

    checkpoint: Checkpoint
    window_records: int = WINDOW_RECORDS
    order: Sequence[str] = ()
    stall_seconds: float = 300.0


def create(
    group: str,
    bootstrap: str,
    checkpoint: Checkpoint,
    *,
    worker: str,
    data_dir: Path,
    window_records: int = WINDOW_RECORDS,
    stall_seconds: float = 300.0,
    order: Sequence[str] = (),
    **overrides: Any,
) -> App:
    """Makes the app of one consumer group.

    Arguments:
        group: the consumer group, and Faust's app id.
        bootstrap: ``host:port[,host:port]``.
        checkpoint: not started; the consumer starts and stops it.
        worker: unique among the live workers of the group; it becomes the canonical URL that Faust's assignor tells workers apart by.
        data_dir: Faust's own scratch folder.
        window_records: see `App`.
        stall_seconds: see `App`.
        order: see `App`. It saves waiting; nothing may depend on it.
        overrides: further Faust settings, for tests with short timeouts.
    """
    settings: dict[str, Any] = {
        "broker": ";".join(f"carryover://{server}" for server in bootstrap.split(",")),
        "datadir": data_dir,
        "canonical_url": f"http://{worker}.{group}.invalid:80",
        "processing_guarantee": "at_least_once",
        "stream_wait_empty": False,  # with an un-acked chunk a shutdown would never end
        "stream_buffer_maxsize": 65536,  # never reached: the window bounds what is handed out
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": _FETCH_BYTES,
        "broker_commit_interval": 1.0,
        "broker_commit_every": None,
        # Static membership (KIP-345): a worker that is started again under its name gets its partitions back at once, and a paused zombie of
        # that name is fenced by the broker.
        "consumer_group_instance_id": worker,
        "broker_session_timeout": 30.0,
        "broker_request_timeout": 60.0,
        "broker_rebalance_timeout": 60.0,
        "broker_heartbeat_interval": 3.0,
        "broker_max_poll_interval": 86400.0,  # aiokafka leaves the group when nothing was fetched for this long: a full window fetches nothing
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 1,  # 0 would silently replace Faust's sticky, co-partitioning assignor by round robin
        "web_enabled": False,
        "autodiscover": False,
        "store": "memory://",
        "value_serializer": "raw",
        "key_serializer": "raw",
        "producer_request_timeout": 60.0,
    }
    app = App(group, **(settings | overrides))
    app.checkpoint = checkpoint
    app.window_records = window_records
    app.stall_seconds = stall_seconds
    app.order = tuple(order)
    return app

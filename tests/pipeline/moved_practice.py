"""The frame of most tests here: a practice is made, moved, and everything runs on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from cutover.census import RESOURCES
from ops.kafka import LocalKafka
from sandbox.process import SandboxProcess
from tests.pipeline.maps import write_map
from tests.pipeline.pipeline import Pipeline


@asynccontextmanager
async def moved_practice(
    kafka: LocalKafka,
    directory: Path,
    *,
    only: tuple[str, ...] = (),
    adopts: tuple[str, ...] = (),
    prepare: Callable[[Pipeline], None] | None = None,
    fallback: bool = True,
    partitions: int = 2,
    settings: Mapping[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[Pipeline]:
    """A small clean practice that has arrived in the org, with a worker of each stage and the control process; all of it ends with the block.

    Arguments:
        kafka: a running broker.
        directory: of its files; its name begins those of the topics.
        only: the objects that the map has, of which the practice has records; all that the default map has without it.
        adopts: of these, the ones whose rows may be somebody else's already.
        prepare: is done to both systems before the snapshot begins.
        fallback: whether what belongs to nobody with a login has an owner.
        partitions: of every topic.
        settings: ``CARRYOVER_…`` of every process.
        options: of the sandbox (`sandbox.process.SandboxProcess`), over ``practices=3, clean=True``.

    Raises:
        AssertionError: it does not arrive.
    """
    chosen = dict(settings or {})
    options = {"practices": 3, "clean": True} | options
    if only:
        listed = dict.fromkeys(RESOURCES[one] for one in only if one in RESOURCES)  # others stand in their records
        options.setdefault("resources", ",".join(listed))
        chosen["CARRYOVER_CUTOVER__MAP"] = str(write_map(directory, only=only, adopts=adopts))
    with SandboxProcess.start(**options) as sandbox:
        prefix = f"{directory.name}.{uuid4().hex[:6]}."
        pipeline = Pipeline(kafka.bootstrap, prefix, sandbox, directory, partitions=partitions, **chosen)
        try:
            if prepare is not None:
                prepare(pipeline)
            await pipeline.begin(fallback=fallback)
            await pipeline.start_all()
            await pipeline.equal(within=90)
            yield pipeline
        finally:
            pipeline.kill()

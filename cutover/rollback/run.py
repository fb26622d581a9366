"""`carryover rollback`: what it would do, and doing it."""

from __future__ import annotations

import fcntl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, NamedTuple

from agents.apps import described
from agents.contact_roles import ROLE, ContactRoles
from agents.file_places import FilePlaces, FileRows, homes_of
from agents.outputs import Outputs
from agents.source_records import SourceRecords
from connectors.salesforce.session import Salesforce
from cutover import phase
from cutover.caught_up import caught_up
from cutover.chosen_map import read_map
from cutover.ledger.read import Reader
from cutover.operator_calls import OperatorCalls
from cutover.outcome import Refused
from cutover.publish import open_publisher
from cutover.rollback.children import Children
from cutover.rollback.files import FileUndo
from cutover.rollback.judge import Judge
from cutover.rollback.still import still
from cutover.rollback.values import Written
from cutover.rollback.verdict import Report
from cutover.rollback.walk import Walk
from cutover.settings import Settings
from cutover.target import open_target
from mapping.rules import MapDocument
from topics.codec import Codec
from topics.messages import Transition

ROLLING_BACK: Final = "ROLLING_BACK"
ROLLED_BACK: Final = "ROLLED_BACK"
_PASSES: Final = 20


class _Scene(NamedTuple):
    """Everything that a pass needs, open."""

    document: MapDocument
    target: Salesforce
    records: SourceRecords
    me: str


async def plan(settings: Settings, run: str) -> Report:
    """What a rollback would do now; writes nothing anywhere.

    Raises:
        Refused: There is no such run, or the map is another one.
        Failed: The ledger does not catch up.
        ConnectorError: The org can't be read.
    """
    await _newest(settings, run)
    await caught_up(settings)
    async with _scene(settings) as scene:
        return await _pass(settings, scene, run, None)


async def apply(settings: Settings, run: str) -> Report | None:
    """Rolls back; may be killed and run again at any time.

    Returns:
        What the first pass did, with what was kept at the end; None when the cutover has been rolled back already.

    Raises:
        Refused: There is no such run, the map is another one, or another rollback is under way.
        Failed: The ledger does not catch up, or batches stay unfinished.
        ConnectorError: The org can't be asked.
    """
    codec = Codec()
    with _alone(settings):
        newest = await _newest(settings, run)
        if newest["phase"] == ROLLED_BACK:
            return None
        if newest["phase"] != ROLLING_BACK:
            newest = await _tell(settings, codec, newest, ROLLING_BACK)
        async with _scene(settings) as scene, open_publisher(settings.kafka.bootstrap) as publisher:
            outputs = Outputs(publisher, codec, settings.catalogue)
            report = await _until_nothing_is_left(settings, scene, run, outputs)
        await _tell(settings, codec, newest, ROLLED_BACK)
        return report


async def _until_nothing_is_left(settings: Settings, scene: _Scene, run: str, outputs: Outputs) -> Report:
    await still(settings)
    first = found = await _pass(settings, scene, run, outputs)
    for _ in range(_PASSES):
        if not found.changed:
            break
        await still(settings)
        found = await _pass(settings, scene, run, outputs)
        first.changed += found.changed
    first.kept = found.kept
    return first


async def _pass(settings: Settings, scene: _Scene, run: str, outputs: Outputs | None) -> Report:
    sobjects = settings.catalogue.sobjects
    names = [name for name in sobjects if any(rule.target == name for rule in scene.document.objects.values())]
    found = await described(scene.target, scene.document)
    names = [name for name in names if name in found]  # what an org does not have was not written
    describes = {name: found[name] for name in names}
    roles = ContactRoles(scene.target, found.get(ROLE))
    with Reader(settings.ledger) as reader:
        written = Written(scene.document, scene.records, Codec())
        places = FilePlaces(scene.target, homes_of(scene.document))
        files, rows = FileUndo(scene.target, places), FileRows(scene.target, places)
        judge = Judge(reader, describes, written, Children(scene.target, describes), files, rows, scene.me)
        target = None if outputs is None else (scene.target, outputs)
        return await Walk(reader, judge, names, run, target, roles, files).go()


@asynccontextmanager
async def _scene(settings: Settings) -> AsyncIterator[_Scene]:
    document, _ = read_map(settings)
    records = SourceRecords(settings.kafka.bootstrap)
    async with open_target(settings, meter=OperatorCalls("rollback", settings.target)) as target:
        me = await target.user_id()
        await records.start()
        try:
            yield _Scene(document, target, records, me)
        finally:
            await records.stop()


async def _newest(settings: Settings, run: str) -> Transition:
    newest = await phase.newest(settings, Codec())
    if newest is None:
        raise Refused("Nothing was begun under this kafka.prefix: there is nothing to roll back.")
    if newest["run"] != run:
        raise Refused(f"There is no run {run} here: this cutover's run is {newest['run']}.")
    _, map_hash = read_map(settings)
    if newest["map_hash"] != map_hash:
        raise Refused(
            f"This cutover began with map {newest['map_hash']}, and the map is now {map_hash}: put the old one back; "
            "what was written can only be told by it."
        )
    return newest


async def _tell(settings: Settings, codec: Codec, newest: Transition, to: str) -> Transition:
    moved: Transition = {
        **newest,
        "phase": to,
        "by": phase.operator(),
        "at": max(int(time.time() * 1000), newest["at"] + 1),
    }
    await phase.tell(settings, codec, moved)
    return moved


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    settings.cutover.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.cutover.data_dir / "rollback.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("Another rollback of this cutover is under way on this host: wait for it.") from None
        yield

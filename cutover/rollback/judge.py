"""Decides what is to become of rows, from what the org holds at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agents.contact_roles import Wish
from connectors.salesforce.collections import MOST_IDS, Collections
from cutover.ledger.read import Reader
from cutover.rollback.children import Child, Children
from cutover.rollback.files import FileUndo
from cutover.rollback.values import Written
from cutover.rollback.verdict import ROLLED_BACK, Row, Verdict
from mapping.rules import RELATION

_NAMED: Final = 10
_EDITOR: Final = "LastModifiedById"


class Judge:
    """Decides for one org.

    Args:
        reader: The ledger.
        describes: By Salesforce object, its describe.
        written: What we wrote.
        children: What hangs on rows.
        files: What goes along with documents.
        rows: Reads rows.
        me: The Salesforce id of the user that loaded.
    """

    def __init__(
        self,
        reader: Reader,
        describes: Mapping[str, Mapping[str, Any]],
        written: Written,
        children: Children,
        files: FileUndo,
        rows: Collections,
        me: str,
    ) -> None:
        self._reader = reader
        self._collections = rows
        self._files = files
        self._links: dict[str, list[str]] = {}
        self._written = written
        self._children = children
        self._me = me
        self._updateable = {
            name: {field["name"] for field in describe["fields"] if field.get("updateable")}
            for name, describe in describes.items()
        }
        self.settled: set[str] = set()
        """Salesforce ids of rows that are deleted or restored, or would be: they hold nobody back. About 110 bytes each."""

        self._theirs: set[str] = set()
        """Ids of relations of somebody else: nothing can take them off the contact and the account that they relate, so these stay."""

    def settle(self, row_id: str) -> None:
        """The row is deleted or restored, or would be, and with it what goes along."""
        self.settled.add(row_id)
        self.settled.update(self._links.pop(row_id, ()))

    async def restores(self, rows: Sequence[Row]) -> list[Verdict]:
        """What is to become of rows that somebody else made: at most `MOST_IDS`, of one Salesforce object."""
        self._theirs.update(row["row_id"] for row in rows if row["sobject"] == RELATION)
        open_, verdicts = _open(rows)
        images = await self._written.images(open_)
        stored = await self._stored(open_)
        sources = await self._written.sources(open_)
        for row in open_:
            verdicts.append(self._restore(row, images.get(row["reference"]), stored[row["row_id"]], sources))
        return verdicts

    def _restore(
        self, row: Row, image: dict[str, Any] | None, stored: dict[str, Any] | None, sources: Mapping[str, Any]
    ) -> Verdict:
        if stored is None:
            return Verdict(row, "gone")
        if image is None:
            return Verdict(row, "keep", "NO_IMAGE")
        values = {name: value for name, value in image.items() if name in self._updateable[row["sobject"]]}
        contact = self._contact(row, image, stored)
        if all(_nulled(stored.get(name)) == _nulled(value) for name, value in values.items()):
            return Verdict(row, "restore", contact=contact)  # it is what it was; a run that died has the roles left
        kept = self._edited(row, stored, sources)
        return kept or Verdict(row, "restore", values=values, contact=contact)

    def _contact(self, row: Row, image: Mapping[str, Any], stored: Mapping[str, Any]) -> Wish | None:
        """Whom the row's contact roles have to name again; Salesforce lets nobody write that column."""
        column = self._written.contact_column(row["object"])
        if column is None or column in self._updateable[row["sobject"]]:
            return None
        before, now = str(image.get(column) or ""), str(stored.get(column) or "")
        return None if before == now else Wish(row["row_id"], before, now, ours=False)

    async def deletes(self, rows: Sequence[Row]) -> list[Verdict]:
        """What is to become of rows that we made: at most `MOST_IDS`, of one Salesforce object."""
        open_, verdicts = _open(rows)
        stored = await self._stored(open_)
        sources = await self._written.sources(open_)
        left: list[Row] = []
        for row in open_:
            found = stored[row["row_id"]]
            if found is None or found.get(
                "IsDirect"
            ):  # a relation that has become Salesforce's own goes with its contact
                verdicts.append(Verdict(row, "gone"))
            elif kept := self._edited(row, found, sources):
                verdicts.append(kept)
            else:
                left.append(row)
        verdicts += await self._without_children(left)
        return verdicts

    async def _without_children(self, rows: Sequence[Row]) -> list[Verdict]:
        if not rows:
            return []
        sobject, row_ids = rows[0]["sobject"], [row["row_id"] for row in rows]
        found = await self._children.of(sobject, row_ids)
        beside = await self._files.beside(sobject, row_ids)
        self._links |= beside.links
        ids = list({child.id for children in found.values() for child in children} - self.settled - self._theirs)
        ours: dict[str, str] = {}
        for start in range(0, len(ids), 10_000):
            ours |= self._reader.owners_of_rows(ids[start : start + 10_000])
        verdicts = []
        for row in rows:
            if row["row_id"] in beside.edited:
                verdicts.append(Verdict(row, "keep", "EDITED", "a version of it"))
                continue
            hanging = sorted({one.id for one in found.get(row["row_id"], ()) if self._stays(one, ours)})
            if hanging:
                named = ", ".join(hanging[:_NAMED])
                verdicts.append(Verdict(row, "keep", "HAS_CHILDREN", named, tuple(hanging)))
            else:
                verdicts.append(Verdict(row, "delete"))
        return verdicts

    def _stays(self, child: Child, ours: Mapping[str, str]) -> bool:
        """Whether a row that hangs on one of ours holds it back: all but those that Salesforce made beside ours when we wrote."""
        if child.id in self._theirs:
            return True
        return child.id not in self.settled and (child.id in ours or child.signed_by != frozenset({self._me}))

    def _edited(self, row: Row, stored: dict[str, Any], sources: Mapping[str, Any]) -> Verdict | None:
        editor = stored.get(_EDITOR)
        if editor != self._me:
            return Verdict(row, "keep", "EDITED", str(editor))
        differing = self._written.differs(row, sources.get(row["reference"]), stored, self._parent_of)
        if differing is None:
            return Verdict(row, "keep", "NO_SOURCE")
        return Verdict(row, "keep", "DIFFERS", ", ".join(differing)) if differing else None

    def _parent_of(self, row_id: str) -> str | None:
        return self._reader.owners_of_rows([row_id]).get(row_id)

    async def _stored(self, rows: Sequence[Row]) -> dict[str, dict[str, Any] | None]:
        """The rows as the org has them, by Salesforce id."""
        found: dict[str, dict[str, Any] | None] = {}
        for object_ in dict.fromkeys(row["object"] for row in rows):
            ids = [row["row_id"] for row in rows if row["object"] == object_]
            columns = [
                *self._written.columns(object_),
                _EDITOR,
                *(["IsDirect"] if rows[0]["sobject"] == RELATION else []),
            ]
            for start in range(0, len(ids), MOST_IDS):
                part = ids[start : start + MOST_IDS]
                answer = await self._collections.retrieve(rows[0]["sobject"], part, columns)
                found |= dict(zip(part, answer, strict=True))
        return found


def _nulled(value: Any) -> Any:
    return None if value == "" else value


def _open(rows: Sequence[Row]) -> tuple[list[Row], list[Verdict]]:
    """Rows that are still to be decided about, and the verdicts of those that a former run has done or the loader has deleted."""
    open_, verdicts = [], []
    for row in rows:
        if row["code"] == ROLLED_BACK:
            verdicts.append(Verdict(row, "done"))
        else:
            open_.append(row)
    return open_, verdicts

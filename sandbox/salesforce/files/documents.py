"""What a write of a file means beside its own record: contents, documents, versions, links and storage.

Owns the rules of ContentVersion, ContentDocumentLink and Attachment, around what `rows` does with their records. Called by
`writes` before and after it, inside the transaction of the request. Source of fact: the project's Salesforce reference
(§2.6); which link a FirstPublishLocationId makes is (practice), texts of refusals are unverified.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import clock
from sandbox.salesforce import ids
from sandbox.salesforce.errors import RowError, missing
from sandbox.salesforce.files import kinds
from sandbox.salesforce.files.bodies import Bodies, Body, NotBase64Error
from sandbox.salesforce.org import Org
from sandbox.salesforce.rows import Outcome

VERSION, DOCUMENT, LINK, ATTACHMENT = "ContentVersion", "ContentDocument", "ContentDocumentLink", "Attachment"
CONTENTS = {VERSION: "VersionData", ATTACHMENT: "Body"}  # the field of the content, by object
SHOWN_VERSION = "66.0"  # in the address that stands for a content
FILES = frozenset({VERSION, LINK, ATTACHMENT})
BRINGING = frozenset({"insert", "update", "upsert"})  # operations that may bring a content
MEGABYTE = 1024 * 1024
MOST_ENCODED = 50 * MEGABYTE  # characters of base64: files of 37.5 MB
STORAGE_MEGABYTES = 10_240
FULL = RowError("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
Record = dict[str, Any]


@dataclass(slots=True)
class Taken:
    """The contents that were taken out of the records of a write, and the refusals found on the way, by row."""

    bodies: dict[int, Body] = field(default_factory=dict)
    errors: dict[int, RowError] = field(default_factory=dict)


class Documents:
    """The files of one org. `limit` is the file storage in bytes."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.bodies = Bodies(org.uploads.parent / "files")
        self.limit = STORAGE_MEGABYTES * MEGABYTE
        reader = org.database.reader()
        self.bodies.sweep(row[0] for name in CONTENTS for row in reader.execute(f'SELECT Id FROM "{name}"'))  # noqa: S608

    def used(self, connection: sqlite3.Connection) -> int:
        """Bytes of all files that are not in the recycle bin."""
        total = "SELECT coalesce(sum({}), 0) FROM {} WHERE IsDeleted = 0"
        sums = (total.format("ContentSize", VERSION), total.format("BodyLength", ATTACHMENT))
        return sum(int(connection.execute(sql).fetchone()[0]) for sql in sums)

    def as_json(self) -> dict[str, int]:
        """The file storage as in `/limits`, in megabytes."""
        left = self.limit - self.used(self._org.database.reader())
        return {"Max": self.limit // MEGABYTE, "Remaining": max(0, left // MEGABYTE)}

    # -- before the records are written -------------------------------------------------------------------------

    def take(
        self, connection: sqlite3.Connection, name: str, operation: str, records: Sequence[Record]
    ) -> tuple[list[Record], Taken]:
        """The records without their contents, which are on disk now, and what was taken out.

        A content is base64 or a Body that a multipart request has brought.
        """
        taken, left = Taken(), [dict(record) for record in records]
        column = CONTENTS.get(name)
        if column is not None and operation in BRINGING:
            room = self.limit - self.used(connection)
            for row, record in enumerate(left):
                room -= self._take(taken, row, record, column, operation)
                if room < 0 and row in taken.bodies:
                    self.bodies.drop(taken.bodies.pop(row))
                    taken.errors[row] = FULL
                self._complete(taken, row, record, name, operation)
        elif name == LINK and operation == "insert":
            for row, record in enumerate(left):
                if self._linked(connection, record):
                    text = "duplicate value found: <unknown> duplicates value on record with id: <unknown>"
                    taken.errors[row] = RowError("DUPLICATE_VALUE", text)
        return left, taken

    @staticmethod
    def _linked(connection: sqlite3.Connection, record: Record) -> bool:
        pair = [ids.long(str(record.get(name) or "")) for name in ("ContentDocumentId", "LinkedEntityId")]
        sql = "SELECT 1 FROM ContentDocumentLink WHERE ContentDocumentId = ? AND LinkedEntityId = ? AND IsDeleted = 0"
        return connection.execute(sql, pair).fetchone() is not None

    def _take(self, taken: Taken, row: int, record: Record, column: str, operation: str) -> int:
        key = next((each for each in record if each.lower() == column.lower()), None)
        given = record.pop(key) if key is not None else None
        if operation == "update":
            if given is not None and column == "VersionData":
                text = (
                    f"Unable to create/update fields: {column}. Please check the security settings of this field and"
                    " verify that it is read/write for your profile or permission set."
                )
                taken.errors[row] = RowError("INVALID_FIELD_FOR_INSERT_UPDATE", text, (column,))
                return 0
            if given is None:
                return 0
        if isinstance(given, Body):
            taken.bodies[row] = given
        elif isinstance(given, str) and len(given) > MOST_ENCODED:
            text = f"{column}: data value too large (max length={MOST_ENCODED})"
            taken.errors[row] = RowError("STRING_TOO_LONG", text, (column,))
        elif isinstance(given, str) and given:
            try:
                taken.bodies[row] = self.bodies.keep(given)
            except NotBase64Error:
                text = f"{column}: value not of required type: "
                taken.errors[row] = RowError("INVALID_TYPE_ON_FIELD_IN_RECORD", text, (column,))
        else:
            taken.errors[row] = missing([column])
        return taken.bodies[row].size if row in taken.bodies else 0

    @staticmethod
    def _complete(taken: Taken, row: int, record: Record, name: str, operation: str) -> None:
        if name != VERSION or operation != "insert" or row in taken.errors:
            return
        path = record.get("PathOnClient")
        if not isinstance(path, str) or not path:
            taken.errors[row] = missing(["PathOnClient"])
        elif not record.get("Title"):
            record["Title"] = kinds.title(path)

    # -- after the records were written -------------------------------------------------------------------------

    def finish(
        self,
        connection: sqlite3.Connection,
        name: str,
        operation: str,
        records: Sequence[Record],
        taken: Taken,
        outcomes: list[Outcome],
        user: str,
    ) -> list[Outcome]:
        """Gives the written records their contents and what follows from them; the outcomes, with what was refused here."""
        for row, (record, outcome) in enumerate(zip(records, outcomes, strict=True)):
            body = taken.bodies.get(row)
            if outcome.error is not None or outcome.id is None:
                if body is not None:
                    self.bodies.drop(body)
            elif name == VERSION and operation == "insert" and body is not None:
                self._version(connection, outcome.id, record, body, user)
            elif name == ATTACHMENT and body is not None:
                self.bodies.give(body, outcome.id)
                self._set(
                    connection, ATTACHMENT, outcome.id, {"Body": _url(ATTACHMENT, outcome.id), "BodyLength": body.size}
                )
        return outcomes

    def _version(self, connection: sqlite3.Connection, identity: str, record: Record, body: Body, user: str) -> None:
        at, path = clock.salesforce_text(clock.now()), str(record["PathOnClient"])
        end = kinds.extension(path)
        described = {"FileType": kinds.kind(end), "FileExtension": end, "ContentSize": body.size}
        document, number = ids.long(str(record.get("ContentDocumentId") or "")), 1
        titled = {"Title": record["Title"], "Description": record.get("Description")}
        if document is None:
            owner = str(record.get("OwnerId") or user)
            document = self._insert(connection, DOCUMENT, user, {"OwnerId": owner, "PublishStatus": "P", **titled})
            self._link(connection, document, owner, user, "I")
            if record.get("FirstPublishLocationId"):
                self._link(connection, document, str(ids.long(record["FirstPublishLocationId"])), user, "V")
        else:
            sql = "SELECT count(*) FROM ContentVersion WHERE ContentDocumentId = ?"
            number = int(connection.execute(sql, (document,)).fetchone()[0])
            connection.execute("UPDATE ContentVersion SET IsLatest = 0 WHERE ContentDocumentId = ?", (document,))
        own = {"ContentDocumentId": document, "IsLatest": 1, "VersionNumber": str(number), "PublishStatus": "P"}
        self.bodies.give(body, identity)
        own |= {"VersionData": _url(VERSION, identity), "Checksum": body.checksum, "ContentModifiedDate": at}
        self._set(connection, VERSION, identity, own | described | {"ContentModifiedById": user})
        latest = {"LatestPublishedVersionId": identity, "ContentModifiedDate": at, "LastModifiedDate": at}
        self._set(connection, DOCUMENT, document, latest | described | titled | {"SystemModstamp": at})

    def _link(self, connection: sqlite3.Connection, document: str, entity: str, user: str, share: str) -> None:
        self._insert(
            connection,
            LINK,
            user,
            {"ContentDocumentId": document, "LinkedEntityId": entity, "ShareType": share, "Visibility": "AllUsers"},
        )

    def _insert(self, connection: sqlite3.Connection, name: str, user: str, values: Record) -> str:
        sobject, at = self._org.schema.of(name), clock.salesforce_text(clock.now())
        number = self._org.records.next_number(connection, sobject)
        stamps = dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), at)
        stamps |= dict.fromkeys(("CreatedById", "LastModifiedById"), user)
        row = {"seq": number, "Id": ids.make(sobject.prefix, number)}
        row |= {key: value for key, value in stamps.items() if key in sobject.fields} | values
        self._org.records.insert(connection, sobject, list(row), [list(row.values())])
        return str(row["Id"])

    @staticmethod
    def _set(connection: sqlite3.Connection, name: str, identity: str, values: Record) -> None:
        assigned = ", ".join(f'"{column}" = ?' for column in values)
        connection.execute(f'UPDATE "{name}" SET {assigned} WHERE Id = ?', (*values.values(), identity))  # noqa: S608

    # -- reading ------------------------------------------------------------------------------------------------

    def find(self, name: str, identity: str) -> tuple[Path, str | None] | None:
        """The content of a live record, and the end of its file's name; None when there is none."""
        named = "PathOnClient" if name == VERSION else "Name"
        sql = f'SELECT "{named}" FROM "{name}" WHERE Id = ? AND IsDeleted = 0'  # noqa: S608
        row = self._org.database.reader().execute(sql, (identity,)).fetchone()
        path = self.bodies.path(identity)
        return (path, kinds.extension(str(row[0] or ""))) if row and path.exists() else None


def _url(name: str, identity: str) -> str:
    return f"/services/data/v{SHOWN_VERSION}/sobjects/{name}/{identity}/{CONTENTS[name]}"

"""Deploys as they are remembered: what was asked, how far it is, what became of each component.

Owns the table of deploys and their states: Pending, InProgress, then Succeeded, SucceededPartial, Failed or Canceled. A
deploy is carried out in one transaction; one that a kill interrupted is taken up at the next start. Called by the routes
of REST and SOAP, which show the same result in JSON and XML.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox import clock
from sandbox.salesforce import ids
from sandbox.salesforce.metadata.changes import Changes, RefusedError
from sandbox.salesforce.metadata.components import BadPackageError, Component, from_zip
from sandbox.salesforce.org import Org

PREFIX = "0Af"
TABLE = """
CREATE TABLE IF NOT EXISTS deployment (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_by TEXT NOT NULL, created REAL NOT NULL, changed REAL NOT NULL,
  status TEXT NOT NULL, options TEXT NOT NULL, archive BLOB NOT NULL, messages TEXT NOT NULL, error TEXT);
"""
DONE = frozenset({"Succeeded", "SucceededPartial", "Failed", "Canceled"})
VALIDATED_DAYS = 10  # a validated deploy can be deployed so long without the file


class UnknownDeployError(LookupError):
    """There is no such deploy."""


@dataclass(slots=True)
class Deployment:
    """One deploy; `options` and `messages` as the API has them."""

    number: int
    id: str
    created_by: str
    created: float
    changed: float
    status: str
    options: dict[str, Any]
    messages: list[dict[str, Any]]
    error: str | None

    def result(self, name: str, *, details: bool) -> dict[str, Any]:
        """The DeployResult; `name` is that of the user who deploys."""
        succeeded = [each for each in self.messages if each["success"]]
        failed = [each for each in self.messages if not each["success"]]
        at, changed = clock.salesforce_text(self.created), clock.salesforce_text(self.changed)
        done = self.status in DONE
        shown: dict[str, Any] = {
            "checkOnly": bool(self.options.get("checkOnly", False)),
            "completedDate": changed if done else None,
            "createdBy": self.created_by[:15],
            "createdByName": name,
            "createdDate": at,
            "details": {"componentFailures": failed, "componentSuccesses": succeeded, "runTestResult": TESTS}
            if details
            else None,
            "done": done,
            "errorMessage": self.error,
            "errorStatusCode": "INVALID_INPUT" if self.error else None,
            "id": self.id,
            "ignoreWarnings": bool(self.options.get("ignoreWarnings", False)),
            "lastModifiedDate": changed,
            "numberComponentErrors": len(failed),
            "numberComponentsDeployed": len(succeeded),
            "numberComponentsTotal": len(self.messages),
            "numberTestErrors": 0,
            "numberTestsCompleted": 0,
            "numberTestsTotal": 0,
            "rollbackOnError": bool(self.options.get("rollbackOnError", True)),
            "runTestsEnabled": False,
            "startDate": at,
            "status": self.status,
            "success": self.status in {"Succeeded", "SucceededPartial"},
        }
        return {key: value for key, value in shown.items() if value is not None}


TESTS = {"numFailures": 0, "numTestsRun": 0, "totalTime": 0.0}  # there is no Apex here


class Deployments:
    """The deploys of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        with org.database.schema_change() as connection:
            connection.execute(TABLE)

    def begin(self, user: str, archive: bytes, options: dict[str, Any]) -> Deployment:
        """A new deploy, pending and durable when this returns."""
        now = clock.now()
        with self._org.database.transaction() as connection:
            number = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM deployment").fetchone()[0]
            row = (number, ids.make(PREFIX, number), user, now, now, "Pending", orjson.dumps(options).decode(), archive)
            connection.execute("INSERT INTO deployment VALUES (?, ?, ?, ?, ?, ?, ?, ?, '[]', NULL)", row)
            return self._one(connection, "number", number)

    def again(self, user: str, validated: str) -> Deployment:
        """Deploys what was validated before; raises UnknownDeployError when nothing was."""
        reader = self._org.database.reader()
        found = self.get(validated)
        late = clock.now() - found.changed > VALIDATED_DAYS * 86_400
        if not found.options.get("checkOnly") or found.status != "Succeeded" or late:
            raise UnknownDeployError(validated)
        archive = reader.execute("SELECT archive FROM deployment WHERE number = ?", (found.number,)).fetchone()[0]
        return self.begin(user, archive, found.options | {"checkOnly": False})

    def get(self, identity: str) -> Deployment:
        """A deploy by its id; raises UnknownDeployError."""
        return self._one(self._org.database.reader(), "id", ids.long(identity))

    @staticmethod
    def _one(connection: sqlite3.Connection, key: str, value: Any) -> Deployment:
        row = connection.execute(
            "SELECT number, id, created_by, created, changed, status, options, messages, error FROM deployment"  # noqa: S608
            f" WHERE {key} = ?",
            (value,),
        ).fetchone()
        if row is None:
            raise UnknownDeployError(value)
        number, identity, user, created, changed, status, options, messages, error = row
        listed = orjson.loads(messages)
        return Deployment(number, identity, user, created, changed, status, orjson.loads(options), listed, error)

    def pending(self) -> list[str]:
        """The ids of deploys that have not ended."""
        rows = self._org.database.reader().execute(
            "SELECT id FROM deployment WHERE status IN ('Pending', 'InProgress') ORDER BY number"
        )
        return [row[0] for row in rows]

    def cancel(self, identity: str) -> Deployment:
        """Cancels a deploy that has not begun; one that is done stays as it is."""
        with self._org.database.transaction() as connection:
            connection.execute(
                "UPDATE deployment SET status = 'Canceled', changed = ? WHERE id = ? AND status = 'Pending'",
                (clock.now(), ids.long(identity)),
            )
            return self._one(connection, "id", ids.long(identity))

    def run(self, identity: str) -> None:
        """Carries a pending deploy out, in the writing thread."""
        found = self.get(identity)
        if found.status in DONE:
            return
        archive = self._org.database.reader().execute("SELECT archive FROM deployment WHERE id = ?", (found.id,))
        missing_allowed = _true(found.options.get("allowMissingFiles"))
        try:
            package = from_zip(archive.fetchone()[0], missing_allowed=missing_allowed)
        except BadPackageError as error:
            self._end(found, "Failed", [], str(error))
            return
        self._carry_out(found, package.components)

    def _carry_out(self, found: Deployment, components: list[Component]) -> None:
        changes = Changes(self._org, found.created_by)
        planned = {(each.type, each.name) for each in components if each.properties is not None}
        problems: dict[int, RefusedError] = {}
        for place, each in enumerate(components):
            try:
                changes.check(each, planned)
            except RefusedError as error:
                problems[place] = error
        whole = _true(found.options.get("rollbackOnError", True))
        checked_only = _true(found.options.get("checkOnly"))
        with self._org.database.transaction() as connection:
            messages = []
            for place, each in enumerate(components):
                message = _message(each)
                if place in problems:
                    message |= {"success": False, "problem": str(problems[place]), "problemType": "Error"}
                elif not checked_only and not (whole and problems):
                    change = changes.apply(connection, each)
                    message |= {"created": change.created, "deleted": change.deleted, "id": change.id or None}
                    message["changed"] = not change.deleted
                messages.append(message)
            status = "Succeeded" if not problems else "Failed" if whole else "SucceededPartial"
            self._note(connection, found, status, messages, None)

    def fail(self, identity: str, error: str) -> None:
        """Ends a deploy that broke."""
        self._end(self.get(identity), "Failed", [], error)

    def _end(self, found: Deployment, status: str, messages: list[dict[str, Any]], error: str | None) -> None:
        with self._org.database.transaction() as connection:
            self._note(connection, found, status, messages, error)

    @staticmethod
    def _note(
        connection: sqlite3.Connection,
        found: Deployment,
        status: str,
        messages: list[dict[str, Any]],
        error: str | None,
    ) -> None:
        connection.execute(
            "UPDATE deployment SET status = ?, messages = ?, error = ?, changed = ? WHERE number = ?",
            (status, orjson.dumps(messages).decode(), error, clock.now(), found.number),
        )


def _true(given: Any) -> bool:
    return str(given).lower() == "true"


def _message(component: Component) -> dict[str, Any]:
    return {
        "changed": False,
        "componentType": component.type,
        "created": False,
        "createdDate": clock.salesforce_text(clock.now()),
        "deleted": False,
        "fileName": component.file,
        "fullName": component.name,
        "success": True,
    }

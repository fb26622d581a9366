"""What an administrator of the org has built: validation rules, duplicate rules, and automations that change things.

Owns their definitions and what they do to a chunk. Conditions are those of SOQL's WHERE, looked at after the rows are
written. Called by `rows`; added by the admin API.

| kind | keys |
|---|---|
| `validation` | `when`, `message`, `error_field`: a row that fits is refused with FIELD_CUSTOM_VALIDATION_EXCEPTION |
| `duplicate` | `match` (fields), `action` `block` or `alert`, `message`: refused with DUPLICATES_DETECTED |
| `update` | `when`, `set`: the row gets other values too; `=Field` copies one |
| `create` | `when`, `creates`, `record`, `link`: a row of another object is made, and its id put into a lookup |

Source of fact: the codes and texts are (practice); automations stand for triggers and flows of real orgs.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from sandbox.salesforce import ids
from sandbox.salesforce.chunk import Write
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.records import MODIFIED, Records
from sandbox.salesforce.schema import Schema, SObject
from sandbox.salesforce.soql import syntax
from sandbox.salesforce.soql.statement import translate

KINDS = frozenset({"validation", "duplicate", "update", "create"})
TABLE = "CREATE TABLE IF NOT EXISTS rule (id INTEGER PRIMARY KEY, definition TEXT NOT NULL)"
BLOCKED = "You're creating a duplicate record. We recommend you use an existing record instead."
ALERTED = "Use one of these records?"


class BadRuleError(ValueError):
    """A rule that makes no sense; the text says why."""


@dataclass(slots=True)
class Rule:
    """One rule; which keys mean something depends on its kind."""

    kind: str
    object: str
    id: int = 0
    when: str | None = None
    message: str | None = None
    error_field: str | None = None
    match: list[str] = field(default_factory=list)
    action: str = "block"
    set: dict[str, Any] = field(default_factory=dict)
    creates: str | None = None
    record: dict[str, Any] = field(default_factory=dict)
    link: str | None = None


class Rules:
    """The rules of one org; they outlive a restart."""

    def __init__(self, schema: Schema, records: Records) -> None:
        self._schema, self._records = schema, records
        self._by_object: dict[str, list[Rule]] = {}

    def restore(self, connection: sqlite3.Connection) -> None:
        """Brings back the rules that were added before the last stop."""
        connection.execute(TABLE)
        for identity, definition in connection.execute("SELECT id, definition FROM rule ORDER BY id").fetchall():
            self._keep(Rule(**orjson.loads(definition) | {"id": identity}))

    def _keep(self, rule: Rule) -> None:
        self._by_object.setdefault(rule.object, []).append(rule)

    def listing(self) -> list[dict[str, Any]]:
        """Every rule."""
        return [asdict(rule) for rules in self._by_object.values() for rule in rules]

    def add(self, connection: sqlite3.Connection, given: dict[str, Any]) -> Rule:
        """A new rule from its JSON form; raises BadRuleError."""
        try:
            rule = Rule(**{key: value for key, value in given.items() if key != "id"})
        except TypeError as error:
            raise BadRuleError(str(error)) from error
        sobject = self._schema.get(rule.object)
        if rule.kind not in KINDS or sobject is None:
            raise BadRuleError(f"unknown kind or object: {rule.kind} {rule.object}")
        named = [*rule.match, *rule.set, *([rule.link] if rule.link else [])]
        if missing := [name for name in named if sobject.get(name) is None]:
            raise BadRuleError(f"no such field: {', '.join(missing)}")
        if rule.kind == "create" and self._schema.get(rule.creates or "") is None:
            raise BadRuleError(f"unknown object: {rule.creates}")
        try:
            self._matching(connection, sobject, rule.when, [])
        except ApiError as error:
            raise BadRuleError(error.message) from error
        rule.object = sobject.name
        definition = orjson.dumps(asdict(rule)).decode()
        rule.id = connection.execute("INSERT INTO rule (definition) VALUES (?)", (definition,)).lastrowid or 0
        self._keep(rule)
        return rule

    def clear(self, connection: sqlite3.Connection) -> int:
        """Takes every rule away; returns how many went."""
        self._by_object = {}
        return connection.execute("DELETE FROM rule").rowcount

    def of(self, sobject: SObject) -> Sequence[Rule]:
        """The rules of an object, in the order in which they were added."""
        return self._by_object.get(sobject.name, ())

    # -- what they do -------------------------------------------------------------------------------------------

    def refuse(self, connection: sqlite3.Connection, write: Write) -> bool:
        """Looks at the rows just written; True when some are refused, and so all must be written again without them."""
        before = len(write.errors)
        rows = {write.ids[row]: row for row in write.lasting((*write.new, *write.known))}
        for rule in self.of(write.sobject):
            if rule.kind == "validation":
                for identity in self._matching(connection, write.sobject, rule.when, list(rows)):
                    code, text = "FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message or "Validation failed"
                    write.refuse(rows[identity], code, text, *([rule.error_field] if rule.error_field else []))
            elif rule.kind == "duplicate" and not (rule.action == "alert" and write.allow_duplicates):
                for identity in self._doubled(connection, write.sobject, rule, list(rows)):
                    text = rule.message or (ALERTED if rule.action == "alert" else BLOCKED)
                    write.refuse(rows[identity], "DUPLICATES_DETECTED", text)
        return len(write.errors) > before

    def automate(self, connection: sqlite3.Connection, write: Write) -> None:
        """Does what automations do about the rows just written."""
        rows = {write.ids[row]: row for row in write.lasting((*write.new, *write.known))}
        fresh = {write.ids[row] for row in write.new}
        for rule in self.of(write.sobject):
            if rule.kind == "update":
                self._update(connection, write, rule, self._matching(connection, write.sobject, rule.when, list(rows)))
            elif rule.kind == "create":
                found = self._matching(connection, write.sobject, rule.when, list(rows))
                self._create(connection, write, rule, [each for each in found if each in fresh])

    def _matching(
        self, connection: sqlite3.Connection, sobject: SObject, when: str | None, identities: Sequence[str | None]
    ) -> list[str]:
        """Those of the records that fit the condition, and all of them when there is none."""
        if when is None:
            return [each for each in identities if each]
        soql = f"SELECT Id FROM {sobject.name} WHERE {when}"  # noqa: S608  (SOQL)
        made = translate(self._schema, soql, syntax.parse(soql), deleted=True)
        marks = ", ".join("?" * len(identities))
        sql = f"{made.sql('t.Id')} AND t.Id IN ({marks})" if made.rest else made.sql("t.Id")
        return [row[0] for row in connection.execute(sql, (*made.values, *identities))]

    @staticmethod
    def _doubled(
        connection: sqlite3.Connection, sobject: SObject, rule: Rule, identities: Sequence[str | None]
    ) -> list[str]:
        names = [sobject.fields[name].name for name in rule.match]
        same = " AND ".join(f't."{name}" = other."{name}"' for name in names)
        marks = ", ".join("?" * len(identities))
        sql = (
            f'SELECT t.Id FROM "{sobject.name}" t WHERE t.Id IN ({marks}) AND EXISTS (SELECT 1 FROM "{sobject.name}" other'  # noqa: S608
            f" WHERE {same} AND other.seq < t.seq AND other.IsDeleted = 0)"
        )
        return [row[0] for row in connection.execute(sql, list(identities))]

    @staticmethod
    def _update(connection: sqlite3.Connection, write: Write, rule: Rule, identities: Sequence[str]) -> None:
        sobject, parameters, sets = write.sobject, [], []
        for name, value in rule.set.items():
            if isinstance(value, str) and value.startswith("="):
                sets.append(f'"{sobject.fields[name].name}" = "{value[1:]}"')
            else:
                sets.append(f'"{sobject.fields[name].name}" = ?')
                parameters.append(value)
        stamped = {"LastModifiedById": write.user, "LastModifiedDate": write.at, "SystemModstamp": write.at}
        sets += [f"{name} = ?" for name in MODIFIED]
        parameters += [stamped[name] for name in MODIFIED]
        sql = f'UPDATE "{sobject.name}" SET {", ".join(sets)} WHERE Id = ?'  # noqa: S608
        connection.executemany(sql, [(*parameters, identity) for identity in identities])

    def _create(self, connection: sqlite3.Connection, write: Write, rule: Rule, identities: Sequence[str]) -> None:
        if not identities:
            return
        target = self._schema.of(rule.creates or "")
        copied = [value[1:] for value in rule.record.values() if isinstance(value, str) and value.startswith("=")]
        marks = ", ".join("?" * len(identities))
        columns = ", ".join(f'"{name}"' for name in ("Id", *copied))
        found = connection.execute(f'SELECT {columns} FROM "{write.sobject.name}" WHERE Id IN ({marks})', identities)  # noqa: S608
        number = self._records.next_number(connection, target)
        links, made = [], []
        for each, (identity, *copies) in enumerate(found.fetchall(), number):
            values = dict(zip(copied, copies, strict=True))
            record = {
                name: values[value[1:]] if isinstance(value, str) and value.startswith("=") else value
                for name, value in rule.record.items()
            }
            record |= dict.fromkeys(("CreatedById", "LastModifiedById", "OwnerId"), write.user)
            record |= dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), write.at)
            kept = {name: value for name, value in record.items() if name in target.fields}
            made.append({"seq": each, "Id": ids.make(target.prefix, each)} | kept)
            links.append((made[-1]["Id"], identity))
        self._records.insert(connection, target, list(made[0]), [list(each.values()) for each in made])
        if rule.link:
            column = write.sobject.fields[rule.link].name
            connection.executemany(f'UPDATE "{write.sobject.name}" SET "{column}" = ? WHERE Id = ?', links)  # noqa: S608

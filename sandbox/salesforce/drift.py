"""Fields that an administrator renamed, removed or retyped while someone else was loading.

Owns what a `drift` fault does to the schema, and its undoing when the rule goes. No data is touched: a removed field
keeps what it holds until it is back. A renamed one is only gone: its new name is not there to be written to. Called by
the faults of an org.
"""

from collections.abc import Callable
from dataclasses import replace

from sandbox.database import Database
from sandbox.faults import Fault, Faults
from sandbox.salesforce.schema import Field, Schema, SObject

TYPES = {
    "text": {"type": "string", "length": 255},
    "number": {"type": "double", "precision": 18, "length": 0},
    "date": {"type": "date", "length": 0},
    "boolean": {"type": "boolean", "length": 0},
}


class Drifts:
    """The drift of one org."""

    def __init__(self, schema: Schema, database: Database, faults: Faults, changed: Callable[[], None]) -> None:
        self._schema, self._database, self._faults, self._changed = schema, database, faults, changed
        self._before: list[tuple[SObject, Field]] = []

    async def follow(self) -> None:
        """Makes the schema what the rules say, in the writing thread, so that it changes between two chunks."""
        rules = self._faults.of_kind("drift")
        if rules or self._before:
            await self._database.write(self._apply, rules)

    def _apply(self, rules: list[Fault]) -> None:
        with self._database.transaction():  # nothing is stored, but its end is when everybody sees the change
            self._changed()
            self._change(rules)

    def _change(self, rules: list[Fault]) -> None:
        for changed, field in reversed(self._before):
            changed.add([field])
        self._before.clear()
        for rule in rules:
            sobject = self._schema.get(rule.object or "")
            known = None if sobject is None else sobject.get(rule.field or "")
            if sobject is None or known is None:
                continue
            self._before.append((sobject, known))
            if rule.remove or rule.to:
                sobject.drop(known.name)
            elif rule.type in TYPES:
                sobject.add([replace(known, **TYPES[rule.type])])  # type: ignore[arg-type]  # the values of a Field

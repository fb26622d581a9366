"""The direct relation that Salesforce makes by itself between a contact and its account.

Owns that rule, and the refusals that protect such a row. Called by `rows` after contacts and before relations are
written, when the org lets contacts have several accounts. Source of fact: the Object Reference on AccountContactRelation;
the texts of the refusals are unverified.
"""

import sqlite3

from sandbox.salesforce import pairs
from sandbox.salesforce.chunk import Write
from sandbox.salesforce.records import Records
from sandbox.salesforce.schema import Schema

RELATION = "AccountContactRelation"


class Relations:
    """The relations of one org."""

    def __init__(self, schema: Schema, records: Records) -> None:
        self._schema, self._records = schema, records

    def contacts_written(self, connection: sqlite3.Connection, write: Write) -> None:
        """Makes, moves or removes the direct relations of the contacts of a chunk."""
        if "AccountId" not in write.stored:
            return
        rows = write.lasting((*write.new, *write.known))
        moved = [row for row in rows if write.given("AccountId", row) or write.clears("AccountId", row)]
        identities = {write.ids[row]: write.given("AccountId", row) for row in moved}
        old = [row for row in write.known if row in moved]
        found = self._records.select(
            connection,
            RELATION,
            ("Id", "ContactId", "AccountId", "IsDirect"),
            "ContactId",
            [write.ids[row] for row in old],
            live=True,
        )
        there = set()
        for identity, contact, account, direct in list(found):
            if account == identities[contact]:
                connection.execute("UPDATE AccountContactRelation SET IsDirect = 1 WHERE Id = ?", (identity,))
                there.add(contact)
            elif direct:
                connection.execute("UPDATE AccountContactRelation SET IsDeleted = 1 WHERE Id = ?", (identity,))
        new = {str(key): value for key, value in identities.items() if value and key not in there}
        self._add(connection, new, write.user, write.at)

    def begin(self, connection: sqlite3.Connection, user: str, at: str) -> None:
        """Makes the direct relations of the contacts that are there when the org begins to have them."""
        without = (
            "SELECT c.Id, c.AccountId FROM Contact c WHERE c.IsDeleted = 0 AND c.AccountId IS NOT NULL AND NOT EXISTS (SELECT 1"
            " FROM AccountContactRelation r WHERE r.ContactId = c.Id AND r.AccountId = c.AccountId AND r.IsDeleted = 0)"
        )
        self._add(connection, dict(connection.execute(without).fetchall()), user, at)

    def _add(self, connection: sqlite3.Connection, pairs: dict[str, str], user: str, at: str) -> None:
        columns = ("ContactId", "AccountId", "IsDirect")
        made = [(contact, account, 1) for contact, account in pairs.items()]
        self._records.make(connection, self._schema.of(RELATION), columns, made, user, at)

    def before(self, connection: sqlite3.Connection, write: Write) -> None:
        """Refuses a second relation of the same two, and the delete of a direct one."""
        if write.operation == "delete":
            wanted = [write.ids[row] for row in write.lasting(write.known)]
            direct = dict(self._records.select(connection, RELATION, ("Id", "IsDirect"), "Id", wanted, live=True))
            for row in write.lasting(write.known):
                if direct.get(write.ids[row]):
                    text = (
                        "You can't delete a direct account-contact relationship. Change the contact's account instead."
                    )
                    write.refuse(row, "FIELD_INTEGRITY_EXCEPTION", text)
            return
        text = "There's already a relationship between this account and contact."
        pairs.once(self._records, connection, write, RELATION, ("ContactId", "AccountId"), text)

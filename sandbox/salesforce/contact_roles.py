"""Contact roles of opportunities, and the contact of an opportunity that follows from them.

Owns these rules: an opportunity made with a ContactId gets its primary role by itself; of an opportunity's roles one at
most is primary, the one that was made so last; `Opportunity.ContactId` is the contact of that role, and empty without one.
Called by `rows` after opportunities and roles are written and after roles are deleted.

Source of fact: the Object Reference on Opportunity.ContactId ("derived from the opportunity contact role, which is created
at the same time the opportunity is created"; can't be updated, "change the IsPrimary flag on the OpportunityContactRole")
and on OpportunityContactRole ("each Opportunity has only one primary contact"; OpportunityId can't be updated, ContactId
can). Unverified: that a role which stops being primary is stamped with whoever made another one so, and that the
opportunity is not. Not done: a role that was deleted by itself is not in the recycle bin of a real org, here it is.
"""

import sqlite3
from collections.abc import Iterable

from sandbox.salesforce.chunk import Write
from sandbox.salesforce.records import MOST_VALUES, Records
from sandbox.salesforce.schema import Schema

ROLE = "OpportunityContactRole"
FOLLOWS = """
UPDATE Opportunity SET ContactId = (SELECT r.ContactId FROM OpportunityContactRole r
    WHERE r.OpportunityId = Opportunity.Id AND r.IsPrimary = 1 AND r.IsDeleted = 0)
WHERE Id IN ({marks})
"""
DEMOTED = """
UPDATE OpportunityContactRole SET IsPrimary = 0, LastModifiedById = ?, LastModifiedDate = ?, SystemModstamp = ?
WHERE OpportunityId = ? AND Id <> ? AND IsPrimary = 1 AND IsDeleted = 0
"""


class ContactRoles:
    """The contact roles of one org."""

    def __init__(self, schema: Schema, records: Records) -> None:
        self._schema, self._records = schema, records

    def opportunities_written(self, connection: sqlite3.Connection, write: Write) -> None:
        """Makes the primary roles of the new opportunities of a chunk that name a contact."""
        named = [row for row in write.lasting(write.new) if write.given("ContactId", row)]
        if not named:
            return
        columns = ("OpportunityId", "ContactId", "IsPrimary")
        made = [(write.ids[row], write.given("ContactId", row), 1) for row in named]
        self._records.make(connection, self._schema.of(ROLE), columns, made, write.user, write.at)

    def written(self, connection: sqlite3.Connection, write: Write) -> None:
        """Leaves one primary role to each opportunity of a chunk of roles, and lets its contact follow."""
        rows = write.lasting((*write.new, *write.known))
        of = self._opportunities(connection, (write.ids[row] for row in rows))
        primary = {of[each]: each for row in rows if write.given("IsPrimary", row) and (each := write.ids[row]) in of}
        for opportunity, role in primary.items():  # of several in one call the last one
            connection.execute(DEMOTED, (write.user, write.at, write.at, opportunity, role))
        self._follow(connection, of.values())

    def deleted(self, connection: sqlite3.Connection, write: Write) -> None:
        """Empties the contact of opportunities whose primary role is gone."""
        gone = self._opportunities(connection, (write.ids[row] for row in write.lasting(write.known)))
        self._follow(connection, gone.values())

    def _opportunities(self, connection: sqlite3.Connection, roles: Iterable[str | None]) -> dict[str | None, str]:
        return dict(self._records.select(connection, ROLE, ("Id", "OpportunityId"), "Id", roles, live=False))

    @staticmethod
    def _follow(connection: sqlite3.Connection, opportunities: Iterable[str]) -> None:
        some = list(dict.fromkeys(opportunities))
        for start in range(0, len(some), MOST_VALUES):
            part = some[start : start + MOST_VALUES]
            connection.execute(FOLLOWS.format(marks=", ".join("?" * len(part))), part)

"""Contact roles of opportunities as calls: looks at the roles of many rows at once and does what `agents.primary_contact` says.

Salesforce lets nobody set ``Opportunity.ContactId`` once the row is there (Object Reference: "Read-only field that is derived from the opportunity contact
role"). With a new row it makes the primary role by itself; from then on the roles say who the contact is.

A former patient's role could also be handed on by writing its ``ContactId``, which the Object Reference allows. It is not done: where no role is ours to
hand on, one has to be made anyway, and where the new patient has a role already, ours has to go anyway.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from agents.primary_contact import Role, Steps, steps
from connectors.salesforce.collections import MOST_ROWS, Collections, RowResult
from connectors.salesforce.row_errors import Handling, RowError, handling
from connectors.salesforce.session import Salesforce
from mapping.check import lacking_for_roles
from transport import failpoint

ROLE: Final = "OpportunityContactRole"
COLUMN: Final = "ContactId"
HIDDEN: Final = "CONTACT_ROLE_HIDDEN"

_SELECTED: Final = ("Id", "OpportunityId", COLUMN, "IsPrimary", "Role", "CreatedById", "LastModifiedById")
_AGAIN: Final = frozenset({Handling.RETRY_LOCK, Handling.RETRY_LATER, Handling.QUOTA, Handling.STORAGE})
_GONE: Final = frozenset({Handling.GONE, Handling.PARENT_GONE})

_Payload = tuple[str, Any]  # id of the opportunity, what is sent for it


class Wish(NamedTuple):
    """Whom an opportunity's contact is to be; see `agents.primary_contact.steps`."""

    row_id: str
    wanted: str
    former: str | None
    ours: bool


class Carried(NamedTuple):
    """What became of a wish.

    Attributes:
        changed: whether roles were written.
        error: why Salesforce refused one; None when the contact is as wanted.
        again: the refusal will pass (a lock): look at the roles again and repeat.
    """

    changed: bool = False
    error: RowError | None = None
    again: bool = False


class ContactRoles:
    """The contact roles of one org.

    Arguments:
        salesforce: an open connection.
        describe: the org's describe of the roles; None when it has none that we see.

    Attributes:
        lacking: why we can't change roles, in words; "" when we can.
    """

    def __init__(self, salesforce: Salesforce, describe: Mapping[str, Any] | None) -> None:
        self._salesforce = salesforce
        self._collections = Collections(salesforce)
        self.lacking = lacking_for_roles(describe)
        self._custom = sorted(field["name"] for field in (describe or {}).get("fields", ()) if _telling(field))
        self._me: str | None = None

    async def carry(self, wishes: Sequence[Wish]) -> dict[str, Carried]:
        """Looks at the roles of these rows and changes what is not as wanted; 200 rows a call.

        Not tried again here: a repetition has to begin with a new look, as a call whose answer was lost may have made a role.

        Returns:
            By the row's id.

        Raises:
            connectors.errors.ConnectorError: a call failed as a whole; some roles may have been written.
        """
        if self._me is None:
            self._me = await self._salesforce.user_id()
        found = await self._look([wish.row_id for wish in wishes])
        todo: dict[str, Steps] = {}
        for wish in wishes:
            todo[wish.row_id] = steps(found[wish.row_id], wish.wanted, wish.former, ours=wish.ours)
        done = {row_id: Carried(changed=not one.none) for row_id, one in todo.items()}
        contact = {wish.row_id: wish.wanted for wish in wishes}
        raised = [(row_id, {"Id": one.promote, "IsPrimary": True}) for row_id, one in todo.items() if one.promote]
        made = [
            (row_id, {"OpportunityId": row_id, COLUMN: contact[row_id], "IsPrimary": True})
            for row_id, one in todo.items()
            if one.create
        ]
        await self._write(raised, lambda rows: self._collections.update(ROLE, rows), done, _promoted)
        await self._write(made, lambda rows: self._collections.insert(ROLE, rows), done, _created)
        if failpoint.ARMED and (raised or made):
            failpoint.hit("roles-made")
        # Only now: the opportunity is at no moment without its contact.
        gone = [(row_id, role) for row_id, one in todo.items() if done[row_id].error is None for role in one.remove]
        await self._write(gone, self._collections.delete, done, _removed)
        return done

    async def _look(self, row_ids: Sequence[str]) -> dict[str, list[Role]]:
        select = f"SELECT {', '.join((*_SELECTED, *self._custom))} FROM {ROLE}"  # noqa: S608 - names of the org's describe
        found: dict[str, list[Role]] = defaultdict(list)
        for row in await self._salesforce.query_in(select, "OpportunityId", row_ids):
            found[row["OpportunityId"]].append(Role(row["Id"], row[COLUMN], bool(row["IsPrimary"]), self._ours(row)))
        return found

    def _ours(self, row: Mapping[str, Any]) -> bool:
        """Whether nobody but us had a hand in a role. Who made another one primary last has stamped it: so what it says counts, too."""
        says = any(row.get(name) not in {None, "", False} for name in ("Role", *self._custom))
        return not says and row["CreatedById"] == row["LastModifiedById"] == self._me

    @staticmethod
    async def _write(
        rows: Sequence[_Payload],
        call: Callable[[list[Any]], Awaitable[list[RowResult]]],
        done: dict[str, Carried],
        meaning: Callable[[RowError], Carried | None],
    ) -> None:
        for start in range(0, len(rows), MOST_ROWS):
            part = rows[start : start + MOST_ROWS]
            results = await call([payload for _, payload in part])
            for (row_id, _), result in zip(part, results, strict=True):
                refused = None if result.success else meaning(result.errors[0])
                if refused is not None:
                    done[row_id] = refused


def _telling(field: Mapping[str, Any]) -> bool:
    """Whether a value in a custom column says that somebody has filled it in: no formula, and nothing in it by itself."""
    chosen = any(value.get("defaultValue") for value in field.get("picklistValues") or ())
    defaulted = field.get("defaultValue") or field.get("defaultValueFormula") or chosen
    return bool(field.get("custom") and field.get("updateable") and not defaulted)


def _promoted(error: RowError) -> Carried:
    """A role that has gone since the look is looked for again."""
    return Carried(True, error, handling(error, "") in _AGAIN | _GONE)


def _created(error: RowError) -> Carried:
    kind = handling(error, "")
    if kind in _GONE and not error.fields:
        error = error._replace(fields=(COLUMN,))  # the opportunity was written a moment ago: it is the contact
    return Carried(True, error, kind in _AGAIN)


def _removed(error: RowError) -> Carried | None:
    kind = handling(error, "")
    return None if kind in _GONE else Carried(True, error, kind in _AGAIN)

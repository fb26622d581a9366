"""Who owns the records of a user of the source: what is known of one, and what follows from a match or a decision.

Pure. A match is an active Salesforce user with the same e-mail; a decision is an operator's, for one owner or for everybody who is not matched. A decision
beats a match, an owner's own decision beats the one for everybody; what was found once stays until somebody decides otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import orjson

from topics.codec import compact_json
from topics.version import Version

FALLBACK: Final = "user:~fallback"
"""Whom an operator decides for when they mean everybody who is not matched."""

NO_EMAIL: Final = "OWNER_NO_EMAIL"
UNMATCHED: Final = "OWNER_UNMATCHED"
INACTIVE: Final = "OWNER_INACTIVE"
AMBIGUOUS: Final = "OWNER_AMBIGUOUS"


@dataclass(frozen=True)
class Entry:
    """One owner.

    Attributes:
        object, version, run: of the record that it is; an owner that was made up for records without one has a version of its own.
        topic, partition, offset: where that record lies, -1 for none.
        email, name: of the member of staff.
        sf_id: whose the records are in Salesforce, None while that is not known.
        how: `matched`, `decided`, `fallback`, or `same` for one that stands for another.
        code: why it is not known.
        by: who decided.
        changes: how often the answer for this version has changed.
    """

    object: str
    version: str
    run: str
    topic: str = ""
    partition: int = -1
    offset: int = -1
    email: str | None = None
    name: str | None = None
    sf_id: str | None = None
    how: str | None = None
    code: str | None = None
    by: str | None = None
    changes: int = 0

    def encode(self) -> bytes:
        return compact_json(
            [
                *(self.object, self.version, self.run, self.topic, self.partition, self.offset, self.email, self.name),
                *(self.sf_id, self.how, self.code, self.by, self.changes),
            ]
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What `encode` wrote."""
        return cls(*orjson.loads(data))

    @property
    def told(self) -> str:
        """The version under which the answer is told: a later answer counts as newer."""
        return Version.decode(self.version)._replace(resolution=self.changes).encode()

    @property
    def open(self) -> bool:
        """Whether nobody is known yet."""
        return self.sf_id is None

    def answered(self, sf_id: str, how: str, by: str | None = None) -> Entry:
        """With an answer."""
        if (sf_id, how) == (self.sf_id, self.how):
            return self
        return replace(self, sf_id=sf_id, how=how, by=by, code=None, changes=self.changes + (self.sf_id is not None))

    def unanswered(self, code: str) -> Entry:
        """Without an answer, and why."""
        return replace(self, code=code)

    def succeeds(self, earlier: Entry) -> Entry:
        """This version with the answer of an earlier one, if that still holds: a decision does, a match if the e-mail is the same."""
        if self.how == "same":
            return replace(self, changes=earlier.changes + (earlier.sf_id not in {None, self.sf_id}))
        kept = earlier.how in {"decided", "fallback"} or (earlier.how == "matched" and same(earlier.email, self.email))
        if earlier.open or not kept:
            return self
        return replace(self, sf_id=earlier.sf_id, how=earlier.how, by=earlier.by)


def same(one: str | None, other: str | None) -> bool:
    """Whether two e-mails are the same; upper and lower case don't count."""
    return one is not None and other is not None and one.casefold() == other.casefold()


def match(entry: Entry, users: Iterable[Mapping[str, Any]]) -> Entry:
    """The owner with the one active user who has its e-mail, or with the reason why there is none.

    Arguments:
        entry: without an answer.
        users: rows of the org's users with Id, Email, IsActive and UserType; others than the owner's may be among them.
    """
    if not entry.email:
        return entry.unanswered(NO_EMAIL)
    mine = [user for user in users if same(user.get("Email"), entry.email)]
    fit = [user for user in mine if user.get("IsActive") and user.get("UserType") == "Standard"]
    if len(fit) == 1:
        return entry.answered(str(fit[0]["Id"]), "matched")
    return entry.unanswered(AMBIGUOUS if fit else INACTIVE if mine else UNMATCHED)

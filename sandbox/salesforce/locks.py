"""Which records the chunks that are being worked on have locked.

Owns the locks between jobs, in memory. A chunk locks the parents that own its rows (an account, for contacts) and holds
them as long as Salesforce would be busy with it: at full speed no two chunks ever meet. Called by `ingest` and `worker`.
"""

from collections.abc import Iterable


class Locks:
    """The locks of one org."""

    def __init__(self) -> None:
        self._holders: dict[str, int] = {}  # job number by record id

    def __bool__(self) -> bool:
        return bool(self._holders)

    def foreign(self, records: Iterable[str], job: int) -> set[str]:
        """Those of the records that another job holds."""
        return {each for each in records if self._holders.get(each, job) != job}

    def hold(self, records: Iterable[str], job: int) -> None:
        """Locks records for a job; those of others stay theirs."""
        for each in records:
            self._holders.setdefault(each, job)

    def release(self, job: int) -> None:
        """Gives free what a job holds."""
        self._holders = {each: holder for each, holder in self._holders.items() if holder != job}

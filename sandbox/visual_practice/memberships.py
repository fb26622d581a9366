"""Further practices that a made-up patient goes to, beside the one in the patient's record.

Owns these records and their rates; dice of their own, so that the rest of the practice is what it would be without them. Called by
the generator, patient by patient.
"""

import random
from collections.abc import Iterator

from sandbox.visual_practice.calendar import DAY, Stamps, day_of, day_text
from sandbox.visual_practice.history import Made
from sandbox.visual_practice.schema import PRACTICE_MEMBERSHIP
from sandbox.visual_practice.vocabulary import MEMBERSHIP_ROLES

HOW_MANY = (0, 0, 0, 0, 0, 0, 0, 1, 1, 2)
ENDED = 0.3


class Memberships:
    """Makes the memberships of one patient after the other; ids count on from patient to patient."""

    def __init__(self, seed: int, practices: int) -> None:
        self._dice = random.Random(f"memberships {seed}")
        self._stamps = Stamps(random.Random(f"membership imports {seed}"))
        self._practices = practices
        self._made = 0

    def of(self, patient: dict[str, object]) -> Iterator[Made]:
        """None, one or two, each of another practice and none of the patient's own."""
        dice, own = self._dice, str(patient["practice_id"] or "")
        wanted = dice.choice(HOW_MANY)
        drawn = dice.sample(range(1, self._practices + 1), min(wanted + 1, self._practices)) if wanted else ()
        for practice in [str(number) for number in drawn if str(number) != own][:wanted]:
            starts = day_of(str(patient["created_at"])) + dice.randrange(400)
            ends = starts + dice.randrange(30, 900) if dice.random() < ENDED else None
            written = max(starts, ends or 0) * DAY + dice.randrange(30_000, 60_000)
            self._made += 1
            created, updated = self._stamps.of(PRACTICE_MEMBERSHIP.name, starts * DAY + 30_000, written)
            yield (
                PRACTICE_MEMBERSHIP,
                {
                    "id": str(self._made),
                    "patient_id": patient["id"],
                    "practice_id": practice,
                    "role": dice.choice(MEMBERSHIP_ROLES),
                    "starts_on": day_text(starts),
                    "ends_on": None if ends is None else day_text(ends),
                    "created_at": created,
                    "updated_at": updated,
                },
            )

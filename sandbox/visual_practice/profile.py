"""How this Visual Practice speaks: the differences between installations that a client has to cope with.

Owns the switches, the three named profiles and their text form. Knows neither records nor HTTP. Chosen at the start or
by the admin API; kept with the data.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Final, Self

CHOICES: Final = {
    "paging": ("page", "cursor"),
    "times": ("utc", "local"),
    "ids": ("number", "long"),
    "envelope": ("plain", "results"),
    "custom": ("flat", "sections"),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """One way of speaking.

    Attributes:
        paging: By `page` number, or by an opaque `cursor`.
        times: ISO in `utc` with a Z, or `local` as "yyyy-MM-dd HH:mm:ss" without a zone.
        ids: A `number` as text, or `long`: 18 digits as text.
        envelope: `plain` (`{"patients", "total_entries", "links"}`) or `results` (`{"results", "total_entires", …}`).
        custom: Custom fields `flat` by token, or in `sections` with types and options.
    """

    paging: str = "page"
    times: str = "utc"
    ids: str = "number"
    envelope: str = "plain"
    custom: str = "flat"

    @property
    def text(self) -> str:
        """The profile as `parse` reads it."""
        return ",".join(f"{name}={value}" for name, value in asdict(self).items())

    @classmethod
    def parse(cls, text: str) -> Self:
        """A profile from `cursor`, `mixed,ids=long`, `times=local`: a name first or none, then switches.

        Raises:
            ValueError: A name, a switch or a value is unknown; the text says which.
        """
        made = cls()
        for part in filter(None, (each.strip() for each in text.split(","))):
            name, equals, value = part.partition("=")
            if not equals:
                if part not in PRESETS:
                    raise ValueError(f"there is no profile called {part}: {', '.join(PRESETS)}")
                made = cls(**asdict(PRESETS[part]))
            elif value not in CHOICES.get(name, ()):
                raise ValueError(f"{part} is no switch of a profile")
            else:
                made = replace(made, **{name: value})
        return made


PRESETS: Final = {
    "page": Profile(),
    "cursor": Profile("cursor", "local", "long", "results", "sections"),
    "mixed": Profile("page", "local", "number", "results", "flat"),
}
assert set(CHOICES) == {field.name for field in fields(Profile)}

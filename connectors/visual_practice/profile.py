"""How an installation of Visual Practice speaks, as far as the settings say it.

Owns the switches and their text form. What is not said is found out: by the client from `/v1/schema` and from the shape of the answers.
"""

from dataclasses import asdict, dataclass, replace
from typing import Final, Self

__all__ = ["Profile"]

AUTO: Final = "auto"
CHOICES: Final = {
    "paging": ("page", "cursor"),
    "times": ("utc", "local"),
    "ids": ("number", "long"),
    "envelope": ("plain", "results"),
    "custom": ("flat", "sections"),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known beforehand; None: found out.

    Attributes:
        paging: By `page` number or by opaque `cursor`. Both are followed as the answers say; `page` and `cursor` differ in
            whether a row that leaves a listing moves the later ones.
        times: In `utc`, or `local` without an offset, in parameters too.
        ids: `number` or `long`; text either way.
        envelope: `plain` or `results`: an answer in the other one is refused.
        custom: Custom fields `flat`, or in `sections`: told, nothing is guessed from a custom field that is called "sections".
    """

    paging: str | None = None
    times: str | None = None
    ids: str | None = None
    envelope: str | None = None
    custom: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """A profile from `auto`, or from switches: `times=local, paging=cursor`.

        Raises:
            ValueError: A switch or a value is unknown; the text says which, and what there is.
        """
        made = cls()
        for part in filter(None, (each.strip() for each in text.split(","))):
            if part == AUTO:
                continue
            name, _, value = (each.strip() for each in part.partition("="))
            if value not in CHOICES.get(name, ()):
                known = "; ".join(f"{switch}={' or '.join(values)}" for switch, values in CHOICES.items())
                raise ValueError(f"{part!r} is neither {AUTO} nor a switch ({known})")
            made = replace(made, **{name: value})
        return made

    @property
    def text(self) -> str:
        """As `parse` reads it."""
        said = [f"{name}={value}" for name, value in asdict(self).items() if value is not None]
        return ",".join(said) or AUTO

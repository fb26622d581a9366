"""Places in a text that say where an image is in Salesforce, as long as that isn't known.

A slot is an image's reference between two `SLOT`s. Who maps the text sets it, the resolver fills it in. No text of the source has that character: Salesforce
can't store it, so it is dropped before, and no character reference of HTML makes one.
"""

from typing import Final

__all__ = ["ADDRESS", "SLOT", "filled", "length", "slot", "slots"]

SLOT: Final = "\x1e"
ADDRESS: Final = "/sfc/servlet.shepherd/document/download/"
"""What comes before the id of a ContentDocument in the address of its newest version, in whichever host the org has."""
_ID_LENGTH: Final = 18


def slot(reference: str) -> str:
    """The slot of an image."""
    return f"{SLOT}{reference}{SLOT}"


def slots(text: str) -> list[str]:
    """The references of a text's slots, each once, in their order."""
    return list(dict.fromkeys(text.split(SLOT)[1::2])) if SLOT in text else []


def filled(text: str, reference: str, document: str | None) -> str:
    """The text with an image's address in its slots, or that it was not moved.

    Args:
        text: With slots; one without the image's stays as it is.
        reference: Of the image.
        document: Id of its ContentDocument, None when it isn't in Salesforce.
    """
    return text.replace(slot(reference), f"(not moved: {reference})" if document is None else ADDRESS + document)


def length(text: str) -> int:
    """The most characters that the text may have once its slots are filled in."""
    if SLOT not in text:
        return len(text)
    pieces = text.split(SLOT)
    named = len("(not moved: )")
    return sum(map(len, pieces[::2])) + sum(
        max(len(ADDRESS) + _ID_LENGTH, named + len(reference)) for reference in pieces[1::2]
    )

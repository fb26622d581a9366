"""The images of a note: taken out of its HTML, so that only words go on, and found in it again when one is sent.

Pure. Called by the extract, before a note is published, and by the loader of files. In the text that goes on the address (`src`) of an image is one of

- `carryover:document:12`: it is a document of the source, which moves by itself;
- `carryover:note_image:7.0`: its bytes stood in the text (`data:`, RFC 2397), in the first such image of note 7;
- `carryover:!IMAGE_BROKEN` or another code: it can't be moved, and why;
- any other address as it was: it is somebody else's.

Only what `html_text` takes for an image is looked at: what is commented out, or broken as a tag, is no image there either.
"""

import base64
import binascii
import html
import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from mapping.html_text import ImageTag, image_tags, shown

__all__ = ["BROKEN", "MARK", "NO_IMAGE", "TOO_LARGE", "NoteImage", "TakenOut", "place_of", "take_out"]

MARK: Final = "carryover:"
BROKEN: Final = "IMAGE_BROKEN"
NO_IMAGE: Final = "IMAGE_OF_ANOTHER_TYPE"
TOO_LARGE: Final = "IMAGE_TOO_LARGE"

_DOCUMENT: Final = re.compile(r"(?:\A|/)documents/([A-Za-z0-9_-]+)/content/?\Z")
_KIND: Final = re.compile(r"image/([a-z0-9][a-z0-9.+-]*)\Z")
_BLANK: Final = re.compile(rb"[ \t\n\r\f]+")
_SUFFIXES: Final = {"jpeg": "jpg", "svg+xml": "svg", "x-icon": "ico", "vnd.microsoft.icon": "ico"}
_LONGEST_ALT: Final = 500


class NoteImage(NamedTuple):
    """An image whose bytes stand in the text.

    Attributes:
        place: Which it is among those, from 0.
        kind: Its media type, e.g. `image/png`.
        description: What the text calls it, maybe nothing.
        data: Its bytes.
    """

    place: int
    kind: str
    description: str
    data: bytes

    def filename(self, note: str) -> str:
        """A name that says nothing of the patient."""
        kind = self.kind.partition("/")[2]
        suffix = _SUFFIXES.get(kind) or re.sub(r"[^a-z0-9]", "", kind)[:10]
        return f"note-{note}-image-{self.place + 1}.{suffix}"


class TakenOut(NamedTuple):
    """A note's text without bytes of images.

    Attributes:
        text: With marks in their places.
        images: Those that a reader of the note sees, and that can be moved.
    """

    text: str
    images: tuple[NoteImage, ...]


def take_out(body: str, note: str, *, images: str, documents: str | None, home: str, most: int) -> TakenOut:
    """Takes the images out of a note.

    Args:
        body: The note's HTML, as the source has it.
        note: The note's id.
        images: What the map calls images that stand in the text, e.g. `note_image`.
        documents: What it calls documents, None when images by link are left alone.
        home: Where the source is (scheme and host): addresses there are its own, as are relative ones.
        most: The largest image, in bytes.

    Returns:
        The same for the same arguments. A mark that stood in the text before is none of ours and becomes `!IMAGE_BROKEN`.
    """
    found: dict[str, NoteImage] = {}
    pieces: list[str] = []
    at = place = 0
    for tag in image_tags(body):
        mark = _mark(tag, documents, home)
        if tag.address[:5].lower() == "data:":
            image = _image(tag, place, most)
            mark = f"{MARK}!{image}" if isinstance(image, str) else f"{MARK}{images}:{note}.{place}"
            if not isinstance(image, str):
                found[mark] = image
            place += 1
        if mark is not None:
            pieces += [body[at : tag.start], f'"{html.escape(mark)}"']
            at = tag.end
    if not pieces:
        return TakenOut(body, ())
    text = "".join([*pieces, body[at:]])
    seen = {tag.address for tag in image_tags(shown(text))} if found else set()
    return TakenOut(text, tuple(image for mark, image in found.items() if mark in seen))


def place_of(vp_id: str) -> tuple[str, int] | None:
    """The note, and the place in it, that the id of an image names; None when it names none."""
    note, dot, place = vp_id.rpartition(".")
    return (note, int(place)) if dot and note and place.isascii() and place.isdigit() else None


def _mark(tag: ImageTag, documents: str | None, home: str) -> str | None:
    """The mark of an image that isn't in the text."""
    if tag.address.startswith(MARK):
        return f"{MARK}!{BROKEN}"
    if documents is None:
        return None
    try:
        address, own = urlsplit(tag.address.strip()), urlsplit(home)
    except ValueError:
        return None
    if (address.scheme or address.netloc) and (
        (address.scheme or own.scheme).lower(),
        address.netloc.lower(),
    ) != (own.scheme.lower(), own.netloc.lower()):
        return None
    found = _DOCUMENT.search(address.path)
    return f"{MARK}{documents}:{found[1]}" if found else None


def _image(tag: ImageTag, place: int, most: int) -> NoteImage | str:
    """The image of a `data:` address, or the code of why it is none."""
    head, comma, data = tag.address[5:].partition(",")
    kind, *parameters = (part.strip().lower() for part in head.split(";"))
    if not comma:
        return BROKEN
    if _KIND.match(kind) is None:
        return NO_IMAGE
    raw = unquote_to_bytes(data)
    if parameters[-1:] == ["base64"]:
        raw = _BLANK.sub(b"", raw)
        try:  # the padding may be missing, as for browsers
            raw = base64.b64decode(raw.rstrip(b"=") + b"=" * (-len(raw.rstrip(b"=")) % 4), validate=True)
        except binascii.Error:
            return BROKEN
    if not raw:
        return BROKEN
    if len(raw) > most:
        return TOO_LARGE
    return NoteImage(place, kind, " ".join(tag.description.split())[:_LONGEST_ALT], raw)

"""The text of a piece of HTML, for a column that shows no markup.

Called by `transforms`; `compared_html` reads HTML in another way.

Only what is certainly markup is taken for it: an element that HTML has, whose attributes have values (or are one of the few that need none), and a
character reference that ends with its semicolon. Everything else is text and stays: `BP <120`, `a < b`, `<normal>`, `R&D`. In a text without any
element line ends stay as they are; in one with elements they count as blanks, as in a browser, and what stands on a line of its own there does so here:

- blocks (`p`, `div`, `li`, …) and `br` make lines, an entry of a list begins with `- `; cells of a row stand on one line with ` | ` between them;
- `pre` keeps its blanks and lines;
- a number must not become another one: `10<sup>9</sup>` is `10^9`; and what was struck out must not look valid: `[struck out: …]`;
- a link has its address behind it in brackets unless it is what is shown; a tick box is `[x]` or `[ ]`;
- an image, a film or another thing embedded is `[image: its description and address]`, without the address when that is the image itself (`data:`);
  that it is left out is told;
- an image that moves (`note_images`) has a slot there instead, for its address in Salesforce (`image_slots`), and one that can't says why;
- comments, scripts and styles are not shown, so they are not there.

Which tags go together is not looked at: each tag does what it does by itself, so broken HTML loses nothing.
"""

import html
import re
from collections.abc import Collection, Iterator
from html.entities import html5
from typing import Final, NamedTuple

from mapping.image_slots import slot

__all__ = ["ELSEWHERE", "EMBEDDED", "ImageTag", "image_tags", "plain_text", "shown"]

EMBEDDED: Final = "EMBEDDED_LEFT_OUT"
ELSEWHERE: Final = "IMAGE_ELSEWHERE"
"""Codes of what is not moved: something embedded, and of images that are looked at one that lies at another address than the source's."""

_BLOCK_NAMES: Final = """
address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr
html legend li main menu nav ol optgroup option p pre section summary table tbody tfoot thead title tr ul
"""
_BLOCKS: Final = frozenset(_BLOCK_NAMES.split())
_EMBEDDED: Final = {"img": "image"} | {name: name for name in ("iframe", "object", "embed", "video", "audio")}
_INLINE_NAMES: Final = """
a abbr acronym b base bdi bdo big br button cite code col colgroup data datalist del dfn em font i input ins kbd label link map area mark meta meter noscript
output param picture progress q rp rt ruby s samp select small source span strike strong sub sup td template textarea th time track tt u var wbr o:p
"""
_KNOWN: Final = _BLOCKS | _EMBEDDED.keys() | set(_INLINE_NAMES.split())
_STRUCK: Final = frozenset({"del", "s", "strike"})

_BARE: Final = "checked|compact|controls|disabled|hidden|ismap|multiple|noshade|nowrap|readonly|required|selected"
_VALUE: Final = r"""(?:"[^"]*+"|'[^']*+'|[^ \t\n"'=<>`]++)"""
_NAME: Final = r"""[^ \t\n"'<>/=]++"""
_IS: Final = r"[ \t\n]*+=[ \t\n]*+"
_ALONE: Final = rf"(?:{_BARE})(?![^ \t\n/>])"
_TAG: Final = re.compile(
    rf"<(/?)([a-z][a-z0-9:]*+)((?:[ \t\n]++(?:{_NAME}{_IS}{_VALUE}|{_ALONE}))*+)[ \t\n]*+/?>", re.IGNORECASE | re.ASCII
)
_ATTRIBUTES: Final = re.compile(rf"[ \t\n]++(?:({_NAME}){_IS}({_VALUE})|({_ALONE}))", re.IGNORECASE | re.ASCII)
_HIDES: Final = re.compile(r"<(script|style)(?:[ \t\n][^<>]*+)?>", re.IGNORECASE | re.ASCII)
_DECLARES: Final = re.compile(r"<(?:![a-z\[]|\?[a-z])[^<>]*+>", re.IGNORECASE | re.ASCII)
_REFERENCE: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});", re.ASCII)
_BLANKS: Final = re.compile("[ \t\n\r\f\xa0]+")
_LONGEST_ADDRESS: Final = 200
_MARK: Final = "carryover:"
_NOT_MOVED: Final = "IMAGE_NOT_MOVED"
_WHY: Final = {
    "IMAGE_BROKEN": "broken",
    "IMAGE_OF_ANOTHER_TYPE": "of another type",
    "IMAGE_TOO_LARGE": "too large",
}
"""What the text says of an image, by its code."""

# What stands in the output until lines are made of it; a text has none of these, and no reference makes one.
_BLOCK, _LINE, _KEPT, _BULLET, _ENTRY_ENDS = "\x01", "\x02", "\x03", "\x04", "\x05"
_NO_ENTRY: Final = re.compile(rf"{_BULLET}[{_BLOCK} ]*+(?:{_ENTRY_ENDS}|(?={_BULLET})|\Z)")
_ENTRY: Final = re.compile(f"{_BULLET}[{_BLOCK} ]*+")


class ImageTag(NamedTuple):
    """An image in a piece of HTML.

    Attributes:
        start, end: Where the value of its `src` stands, quotes included.
        address: What that says.
        description: Its `alt`.
    """

    start: int
    end: int
    address: str
    description: str


def image_tags(source: str) -> Iterator[ImageTag]:
    """The images of a piece of HTML that have an address, also those in what is not `shown`; line ends may be any."""
    if "<img" not in source.lower():
        return
    text = source.replace("\r\n", " \n").replace("\r", "\n")  # as long as before
    for tag in _TAG.finditer(text):
        if tag[1] or tag[2].lower() != "img":
            continue
        for one in _ATTRIBUTES.finditer(text, *tag.span(3)):
            if (one[1] or "").lower() == "src":
                given = _attributes(tag[3])
                yield ImageTag(*one.span(2), given["src"], given.get("alt", ""))
                break


def plain_text(source: str, images: Collection[str] | None = None) -> tuple[str, list[str]]:
    """The text, and the codes of what was left out of it.

    Args:
        source: With line ends as LF and without control characters.
        images: What the map calls images that move; None: all are left out.

    Returns:
        The text may have control characters again: references to some make them.
    """
    text = shown(source)
    tags = [found for found in _TAG.finditer(text) if found[2].lower() in _KNOWN]
    if not tags:
        return _decoded(text).replace("\xa0", " "), []
    page, at = _Page(images), 0
    for tag in tags:
        page.text(_decoded(text[at : tag.start()]))
        page.tag(tag[2].lower(), tag[3], closes=bool(tag[1]))
        at = tag.end()
    page.text(_decoded(text[at:]))
    return page.lines(), list(dict.fromkeys(page.left_out))


def shown(source: str) -> str:
    """Without comments, declarations, scripts and styles; one that does not end is text."""
    if "<" not in source:
        return source
    parts, at = [], 0
    while (start := source.find("<!--", at)) >= 0 and (stop := source.find("-->", start + 4)) >= 0:
        parts.append(source[at:start])
        at = stop + 3
    text = "".join(parts) + source[at:]
    parts, at, endless = [], 0, set()
    for begins in _HIDES.finditer(text):
        name = begins[1].lower()
        if begins.start() < at or name in endless:
            continue
        ends = re.compile(f"</{name}[ \t\n]*+>", re.IGNORECASE | re.ASCII).search(text, begins.end())
        if ends is None:
            endless.add(name)
            continue
        parts.append(text[at : begins.start()])
        at = ends.end()
    return _DECLARES.sub("", "".join(parts) + text[at:])


def _decoded(text: str) -> str:
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(reference: re.Match[str]) -> str:
    name = reference[0]
    return html.unescape(name) if name[1] == "#" else html5.get(name[1:], name)


class _Page:
    """What a reader sees, tag by tag."""

    def __init__(self, images: Collection[str] | None) -> None:
        self.left_out: list[str] = []
        self._images = images
        self._out: list[str] = []
        self._kept = 0
        self._cells = 0
        self._address = ""
        self._link: list[str] = []

    def text(self, text: str) -> None:
        self._link.append(text)
        if not self._kept:
            self._put(text)
            return
        kept = text.replace("\xa0", _KEPT).replace(" ", _KEPT)
        self._out.append(kept.replace("\n", self._break(_LINE)))

    def tag(self, name: str, attributes: str, *, closes: bool) -> None:
        if name == "a":
            self._end_link()
            self._address = "" if closes else " ".join(_attributes(attributes).get("href", "").split())
        elif name in {"td", "th"}:
            if not closes:
                self._put(" | " if self._cells else "")
                self._cells += 1
        elif name in _STRUCK:
            self._put("]" if closes else "[struck out: ")
        elif name in _BLOCKS:
            self._block(name, closes=closes)
        elif not closes:
            self._single(name, _attributes(attributes))
        elif name == "br":
            self._out.append(self._break(_LINE))

    def _block(self, name: str, *, closes: bool) -> None:
        if name in {"tr", "table"}:
            self._cells = 0
        if name == "pre":
            self._kept = max(0, self._kept + (-1 if closes else 1))
        if name == "li" and closes and not self._cells:
            self._out.append(_ENTRY_ENDS)
        self._out.append(self._break(_BLOCK))
        if name == "li" and not closes:
            self._out.append(" - " if self._cells else _BULLET)

    def _single(self, name: str, given: dict[str, str]) -> None:
        if name == "br":
            self._out.append(self._break(_LINE))
        elif name == "sup":
            self._put("^")
        elif name == "input":
            kind = given.get("type", "").lower()
            if kind in {"checkbox", "radio"}:
                self._put("[x] " if "checked" in given else "[ ] ")
            elif kind != "hidden":
                self._put(given.get("value", ""))
        elif name in _EMBEDDED:
            address = given.get("src", "")
            if name == "img" and self._images is not None:
                address = self._image(address)
            else:
                self.left_out.append(EMBEDDED)
                address = _short(address)
            told = " ".join(filter(None, (" ".join(given.get("alt", "").split()), address)))
            self._put(f"[{_EMBEDDED[name]}: {told}]" if told else f"[{_EMBEDDED[name]}]")

    def _image(self, address: str) -> str:
        """What stands for the address of an image that was looked at (`note_images`)."""
        mark, colon, told = address.partition(":")
        if address[:5].lower() == "data:":  # of a time before there were images that move
            self.left_out.append(_NOT_MOVED)
            return "(not moved)"
        if mark + colon != _MARK:
            self.left_out.append(ELSEWHERE)
            return _short(address)
        if told[:1] != "!" and told.partition(":")[0] in (self._images or ()):
            return slot(told)
        code = told[1:] if told[1:] in _WHY else _NOT_MOVED
        self.left_out.append(code)
        return f"(not moved: {_WHY.get(code, told)})"

    def _end_link(self) -> None:
        address, shown = self._address, "".join(self._link).strip()
        self._address, self._link = "", []
        plain = address.removeprefix("mailto:").removeprefix("tel:")
        if address and shown not in {address, plain} and not address.lower().startswith(("#", "javascript:")):
            self._put(f" ({address})")

    def _put(self, text: str) -> None:
        self._out.append(_BLANKS.sub(" ", text))

    def _break(self, mark: str) -> str:
        return " " if self._cells else mark

    def lines(self) -> str:
        self._end_link()
        whole = _NO_ENTRY.sub(_BLOCK, "".join(self._out))
        whole = _ENTRY.sub(_BLOCK + "- ", whole).replace(_ENTRY_ENDS, "")
        *ended, last = whole.split(_LINE)
        lines: list[str] = []
        for part in ended:
            *before, own = map(_line, part.split(_BLOCK))
            lines += filter(None, before)
            lines.append(own)
        lines += filter(None, map(_line, last.split(_BLOCK)))
        return "\n".join(lines)


def _line(text: str) -> str:
    return re.sub("  +", " ", text).strip(" ").replace(_KEPT, " ").rstrip(" ")


def _short(address: str) -> str:
    """An address as the text says it: short, in words of one blank, and never what is an image itself."""
    return "" if len(address) > _LONGEST_ADDRESS or address[:5].lower() == "data:" else " ".join(address.split())


def _attributes(text: str) -> dict[str, str]:
    """The attributes of a tag by name; of one that is there twice the first counts."""
    found: dict[str, str] = {}
    for name, value, bare in _ATTRIBUTES.findall(text):
        plain = value[1:-1] if value[:1] in {'"', "'"} else value
        found.setdefault((name or bare).lower(), _decoded(plain))
    return found

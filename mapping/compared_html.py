"""The text of a piece of HTML as a comparison reads it: letter by letter, line by line.

A second opinion, as `comparators`, which calls it: nothing is shared with `html_text`, whose rules these are too.
"""

import html
from collections.abc import Callable
from html.entities import html5
from typing import Final

__all__ = ["HOLE", "html_text"]

HOLE: Final = "\x1d"
"""Around the name of an image that moves, where its address in Salesforce belongs; tidy texts have none."""
_REASONS: Final = {
    "!IMAGE_BROKEN": "broken",
    "!IMAGE_OF_ANOTHER_TYPE": "of another type",
    "!IMAGE_TOO_LARGE": "too large",
}

_ON_OWN_LINES: Final = """
html head title body main header footer nav section article aside h1 h2 h3 h4 h5 h6 p div pre blockquote center address hr ul ol dir menu li dl dt dd table
caption thead tbody tfoot tr form fieldset legend optgroup option figure figcaption details summary dialog
"""
_OWN_LINE: Final = set(_ON_OWN_LINES.split())
_IN_LINES: Final = """
a abbr acronym area b base bdi bdo big br button cite code col colgroup data datalist del dfn em font i input ins kbd label link map mark meta meter noscript
o:p output param picture progress q rp rt ruby s samp select small source span strike strong sub sup td template textarea th time track tt u var wbr
"""
_IN_LINE: Final = set(_IN_LINES.split())
_THINGS: Final = {
    "img": "image",
    "iframe": "iframe",
    "object": "object",
    "embed": "embed",
    "video": "video",
    "audio": "audio",
}
_ALONE: Final = "checked compact controls disabled hidden ismap multiple noshade nowrap readonly required selected"
_WITHOUT_VALUE: Final = set(_ALONE.split(" "))
_Tag = tuple[int, bool, str, dict[str, str]]
"""Where a tag ends, whether it closes, its name and its attributes."""

_GAP: Final = " \t\n\r\f\xa0"
_BETWEEN: Final = " \t\n"
_DIGITS: Final = "0123456789"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def html_text(source: str, pictures: tuple[str, ...] | None = None) -> str:
    """What a reader sees of ``source``, which is tidy already; ``pictures`` are the objects that images are, with `HOLE`s in their places."""
    text = _visible(source)
    reader = _Reader(pictures)
    at = begun = 0
    while (at := text.find("<", at)) >= 0:
        tag = _tag(text, at)
        if tag is None:
            at += 1
            continue
        end, closes, name, given = tag
        if name in _OWN_LINE or name in _IN_LINE or name in _THINGS:
            reader.read(_said(text[begun:at]))
            reader.obey(name, given, closes=closes)
            begun = end
        at = end
    if not reader.obeyed:
        return _said(text).replace("\xa0", " ")
    reader.read(_said(text[begun:]))
    return reader.finished()


def _visible(source: str) -> str:
    endless: set[str] = set()
    text = _cut(source, lambda whole, at: _comment(whole, at, endless))
    text = _cut(text, lambda whole, at: _script(whole, at, endless))
    return _cut(text, _declaration)


def _cut(text: str, stretch: Callable[[str, int], int | None]) -> str:
    """``text`` without what ``stretch`` finds at a `<`: it gives the end."""
    pieces: list[str] = []
    at = start = 0
    while (at := text.find("<", at)) >= 0:
        end = stretch(text, at)
        if end is None:
            at += 1
        else:
            pieces.append(text[start:at])
            at = start = end
    return "".join([*pieces, text[start:]])


def _comment(text: str, at: int, endless: set[str]) -> int | None:
    if "--" in endless or not text.startswith("<!--", at):
        return None
    end = text.find("-->", at + 4)
    if end < 0:
        endless.add("--")
        return None
    return end + 3


def _script(text: str, at: int, endless: set[str]) -> int | None:
    for name in ("script", "style"):
        begun = at + 1 + len(name)
        if name in endless or text[at + 1 : begun].lower() != name:
            continue
        opened = text.find(">", begun)
        inside = text[begun:opened] if opened >= 0 else "<"
        if "<" in inside or (inside and inside[0] not in _BETWEEN):
            return None
        there = opened + 1
        while (there := text.find("</", there)) >= 0:
            end = _after(text, there + 2 + len(name))
            if text[there + 2 : there + 2 + len(name)].lower() == name and text[end : end + 1] == ">":
                return end + 1
            there += 2
        endless.add(name)
    return None


def _declaration(text: str, at: int) -> int | None:
    kind, first = text[at + 1 : at + 2], text[at + 2 : at + 3]
    if not first or not ((kind == "!" and first in _LETTERS + "[") or (kind == "?" and first in _LETTERS)):
        return None
    at += 3
    while at < len(text) and text[at] not in "<>":
        at += 1
    return at + 1 if text[at : at + 1] == ">" else None


def _after(text: str, at: int) -> int:
    """Past the blanks at ``at``."""
    while at < len(text) and text[at] in _BETWEEN:
        at += 1
    return at


def _run(text: str, at: int, stops: str) -> int:
    """Past the letters at ``at`` that are none of ``stops``."""
    while at < len(text) and text[at] not in stops:
        at += 1
    return at


def _tag(text: str, at: int) -> _Tag | None:
    closes = text.startswith("/", at + 1)
    begun = end = at + 2 if closes else at + 1
    while end < len(text) and text[end] in _LETTERS + _DIGITS + ":":
        end += 1
    name = text[begun:end].lower()
    if not name or name[0] not in _LETTERS:
        return None
    given: dict[str, str] = {}
    while (begun := _after(text, end)) > end:
        found = _attribute(text, begun)
        if found is None:
            break
        end, key, value = found
        given.setdefault(key, value)
    end = _after(text, end)
    end += text.startswith("/", end)
    return (end + 1, closes, name, given) if text.startswith(">", end) else None


def _attribute(text: str, at: int) -> tuple[int, str, str] | None:
    """Where it ends, its name and its value."""
    end = _run(text, at, " \t\n\"'<>/=")
    name = text[at:end].lower()
    if not name:
        return None
    equals = _after(text, end)
    if text.startswith("=", equals):
        begun = _after(text, equals + 1)
        quote = text[begun : begun + 1]
        if quote in {'"', "'"}:
            closed = text.find(quote, begun + 1)
            if closed >= 0:
                return closed + 1, name, _said(text[begun + 1 : closed])
        elif (until := _run(text, begun, " \t\n\"'=<>`")) > begun:
            return until, name, _said(text[begun:until])
    alone = end == len(text) or text[end] in _BETWEEN + "/>"
    return (end, name, "") if name in _WITHOUT_VALUE and alone else None


def _said(text: str) -> str:
    """With characters for references to them."""
    first, *rest = text.split("&")
    said = [first]
    for part in rest:
        body, ended, after = part.partition(";")
        named = html5.get(body + ";") if ended and body.isascii() and 2 <= len(body) <= 32 else None
        if ended and body.isascii() and _numbered(body):
            named = html.unescape(f"&{body};")
        said += ["&", part] if named is None else [named, after]
    return "".join(said)


def _numbered(body: str) -> bool:
    if body[:2] in {"#x", "#X"}:
        digits = body[2:]
        return 1 <= len(digits) <= 6 and all(digit in "0123456789abcdefABCDEF" for digit in digits)
    digits = body[1:]
    return body[:1] == "#" and 1 <= len(digits) <= 7 and all(digit in _DIGITS for digit in digits)


class _Reader:
    def __init__(self, pictures: tuple[str, ...] | None) -> None:
        self.obeyed = False
        self._pictures = pictures
        self._done: list[str] = []
        self._line = ""
        self._gap = self._entry = False
        self._as_it_is = self._in_row = 0
        self._to, self._heard = "", ""

    def read(self, text: str) -> None:
        self._heard += text
        for letter in text:
            if not self._as_it_is:
                self._letter(letter)
            elif letter == "\n":
                self._break()
            else:
                self._set(" " if letter == "\xa0" else letter)

    def obey(self, name: str, given: dict[str, str], *, closes: bool) -> None:
        self.obeyed = True
        if name in _OWN_LINE:
            self._own_line(name, closes=closes)
        elif name == "br":
            self._break()
        elif name == "a":
            self._link()
            self._to = "" if closes else " ".join(given.get("href", "").split())
        elif name in {"s", "del", "strike"}:
            self._write("]" if closes else "[struck out: ")
        elif closes:
            return
        elif name in {"th", "td"}:
            if self._in_row:
                self._write(" | ")
            self._in_row += 1
        elif name == "sup":
            self._write("^")
        elif name == "input":
            self._input(given)
        elif name in _THINGS:
            told = [*given.get("alt", "").split(), *self._whereabouts(name, given.get("src", ""))]
            self._write(f"[{': '.join([_THINGS[name], *([' '.join(told)] if told else [])])}]")

    def _whereabouts(self, name: str, address: str) -> list[str]:
        """The words for where an embedded thing is."""
        inside = address[:5].lower() == "data:"
        if name == "img" and self._pictures is not None:
            if inside:
                return ["(not moved)"]
            if address.startswith("carryover:"):
                image = address[len("carryover:") :]
                if image.split(":")[0] in self._pictures:
                    return [f"{HOLE}{image}{HOLE}"]
                return [f"(not moved: {_REASONS.get(image, image)})"]
        return [] if inside or len(address) > 200 else address.split()

    def finished(self) -> str:
        self._link()
        self._end_line()
        return "\n".join(self._done)

    def _own_line(self, name: str, *, closes: bool) -> None:
        if name in {"table", "tr"}:
            self._in_row = 0
        if name == "pre":
            self._as_it_is = max(self._as_it_is - 1, 0) if closes else self._as_it_is + 1
        if self._in_row:
            self._gap = True
            if name == "li" and not closes:
                self._write(" - ")
            return
        self._end_line()
        if name == "li":
            self._entry = not closes

    def _input(self, given: dict[str, str]) -> None:
        match given.get("type", "").lower():
            case "checkbox" | "radio":
                self._write("[x] " if "checked" in given else "[ ] ")
            case "hidden":
                pass
            case _:
                self._write(given.get("value", ""))

    def _link(self) -> None:
        to, heard = self._to, self._heard.strip()
        self._to = self._heard = ""
        bare = to.removeprefix("mailto:")
        bare = bare.removeprefix("tel:")
        if to and heard not in {to, bare} and to[0] != "#" and to[:11].lower() != "javascript:":
            self._write(f" ({to})")

    def _write(self, text: str) -> None:
        for letter in text:
            self._letter(letter)

    def _letter(self, letter: str) -> None:
        if letter in _GAP:
            self._gap = True
        else:
            self._set(letter)

    def _set(self, letter: str) -> None:
        if self._entry:
            self._line, self._entry = "- ", False
        elif self._gap and self._line:
            self._line += " "
        self._gap = False
        self._line += letter

    def _break(self) -> None:
        if self._in_row:
            self._gap = True
            return
        if self._entry:
            self._line, self._entry = "-", False
        self._done.append(self._line.rstrip(" "))
        self._line, self._gap = "", False

    def _end_line(self) -> None:
        line = self._line.rstrip(" ")
        if line:
            self._done.append(line)
        self._line, self._gap = "", False

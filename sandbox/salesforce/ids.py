"""Record ids: 15 case-sensitive characters, or 18 with a check that survives the loss of case.

Owns making and reading them. Source of fact: the public description of the 18-character form; the instance part of
ours (`5f`) is made up.
"""

from functools import lru_cache

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
INSTANCE = "5f"
HALF = 62**5


@lru_cache(maxsize=4096)
def _group(number: int) -> tuple[str, str]:
    text = ""
    for _ in range(5):
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text, _check(text)


@lru_cache(maxsize=65_536)
def _check(five: str) -> str:
    return CHECK[sum(1 << place for place, letter in enumerate(five) if "A" <= letter <= "Z")]


def make(prefix: str, number: int) -> str:
    """The 18-character id of the `number`-th record (from 0) of the object with this 3-character key prefix."""
    high, low = divmod(number, HALF)
    first = prefix + INSTANCE
    middle, middle_check = _group(high)
    last, last_check = _group(low)
    return f"{first}{middle}{last}{_check(first)}{middle_check}{last_check}"


def run(prefix: str, first: int, count: int) -> list[str]:
    """The ids of `count` records one after the other, as `make` makes them."""
    made: list[str] = []
    while len(made) < count:
        number = first + len(made)
        start, digit = number - number % 62, number % 62
        some = DIGITS[digit : digit + count - len(made)]
        whole = make(prefix, start)
        stem, before, place = whole[:14], whole[15:17], 1 << 4
        least = CHECK.index(whole[17]) & ~place  # the last digit is 0 there, which is no capital letter
        made += [f"{stem}{each}{before}{CHECK[least | place] if 'A' <= each <= 'Z' else whole[17]}" for each in some]
    return made


def long(text: str) -> str | None:
    """The 18-character form of an id given in either form, or None when it is no id."""
    if len(text) not in {15, 18} or not (text.isascii() and text.isalnum()):
        return None
    whole = text[:15] + _check(text[:5]) + _check(text[5:10]) + _check(text[10:15])
    return whole if len(text) == 15 or whole == text else None

"""Amounts of money as practices' systems write them.

Pure. `compared_values` has its own, separate idea of the same; nothing is shared with it.
"""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

__all__ = ["Amount", "read_amount"]

_AMOUNT: Final = re.compile(
    r"(?P<sign>[+-]?)[$€£]?\s*(?P<whole>[0-9]{1,13}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?P<rest>\.[0-9]{1,18})?"
)
_CENT: Final = Decimal("0.01")


class Amount(NamedTuple):
    """An amount.

    Attributes:
        value: to the cent, rounded half away from zero.
        rounded: whether it had more decimals than that, other than zeros.
        whole: whether it has no decimals at all: some systems write cents so.
    """

    value: Decimal
    rounded: bool
    whole: bool


def read_amount(text: str) -> Amount | None:
    """The amount that a text is, None when it is none.

    A sign or brackets (for minus), a currency sign and commas between thousands may be there. `text` is not empty.
    """
    bare = text[1:-1].strip() if text[0] == "(" and text[-1] == ")" else text
    found = _AMOUNT.fullmatch(bare)
    if found is None or (bare is not text and found["sign"]):
        return None
    exact = Decimal(found["whole"].replace(",", "") + (found["rest"] or ""))
    value = exact.quantize(_CENT, ROUND_HALF_UP)
    minus = bare is not text or found["sign"] == "-"
    return Amount(-value if minus else value, value != exact, found["rest"] is None)

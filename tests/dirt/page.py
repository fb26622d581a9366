"""The page `docs/dirty-data.md`, from the kinds of the sandbox, the rules of the product and the names of the tests."""

from __future__ import annotations

from typing import Final

from cutover.dirty_data import RULES, Rule
from sandbox.visual_practice import dirt
from tests.collected import ROOT
from tests.dirt import proofs

PAGE: Final = ROOT / "docs" / "dirty-data.md"
_HEAD: Final = """# Dirty data

What practices' records hold after years of use, and what Carryover makes of it with the default map. Each kind is a switch of the sandbox
(`carryover sandbox up --dirty zero_dates,formulas`, `carryover demo --dirty all`); `carryover sandbox dirt` lists them.

*loaded*: the row is in Salesforce; codes beside it are repairs that the audit tells. *rejected* and *held* records are in the ledger by name
with that code (`carryover rejects`, `carryover holds`), and what refers to them is held by their name. Nothing is dropped untold.

Written from `cutover/dirty_data.py` by `make dirt`; a test fails when this page says something else. Every kind goes through
{every}. *columns*: also through
`{value}`.
"""
_COLUMNS: Final = ("class", "kind", "the source says", "what is done", "outcome", "shown by")
_FOOT: Final = """
Beside these, an installation may differ as a whole (`--profile` of the sandbox): ids as numbers or of 18 digits, times by the practice's clock,
pages by number or token, an envelope that misspells its `total_entires`, custom fields in sections. `docs/extract.md` and
`tests/connectors/test_profiles.py` are about these. Users who are not active in Salesforce: `docs/loading.md`, "Owners".
"""


def rendered() -> str:
    """The whole page."""
    lines = [_line(_COLUMNS), _line(("---",) * len(_COLUMNS))]
    lines += [
        _line((rule.group, f"`{kind}`", dirt.KINDS[kind], rule.does, outcome(rule), _named(proofs.of(kind))))
        for kind, rule in RULES.items()
    ]
    every = " and ".join(f"`{name}`" for name in proofs.EVERY)
    return "\n".join([_HEAD.format(every=every, value=proofs.VALUE), *lines, _FOOT])


def outcome(rule: Rule) -> str:
    """What the ledger says of such records."""
    parts = []
    if rule.loaded:
        parts.append("loaded" + (f" ({_codes(rule.reported)})" if rule.reported else ""))
    if rule.skipped or rule.superfluous:
        parts.append("skipped")
    if rule.rejected:
        parts.append(f"rejected ({_codes(rule.rejected)})")
    if rule.held:
        parts.append(f"held ({_codes(rule.held)})")
    return ", ".join(parts) if rule.read else ", ".join(["not read", *(f"what refers to it: {one}" for one in parts)])


def _codes(codes: tuple[str, ...]) -> str:
    return ", ".join(f"`{code}`" for code in codes)


def _named(tests: tuple[str, ...]) -> str:
    named = ("*columns*" if name == proofs.VALUE else f"`{name.removeprefix('tests/')}`" for name in tests)
    return "<br>".join(named) or "–"


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '∣') for cell in cells)} |"

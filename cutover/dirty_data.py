"""What becomes of dirty data: for each kind of nonsense that a practice's records hold, the rule and what the ledger says.

Declared here, once. The kinds are the sandbox's (`carryover sandbox dirt` lists them); `docs/dirty-data.md` is written from this, the demo takes a
rejected or held record for accounted for only by a code that stands here, and `tests/dirt` puts every kind through the map and through a whole
cutover. It is true of the default map; another map may choose otherwise, column by column (`on_invalid`, `too_long`, `default`, `skip`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

PARENT_CODES: Final = frozenset({"WAITING_FOR_PARENT", "PARENT_ABSENT", "PARENT_REJECTED", "PARENT_GONE"})
"""Codes of records that are held because a parent isn't in Salesforce; the ledger names it."""


class Rule(NamedTuple):
    """What becomes of one kind.

    Attributes:
        group: the class of dirt.
        does: what is done, in a sentence.
        reported: codes of the repairs that the audit tells; the row is loaded.
        rejected: codes that such records are rejected with.
        held: codes that such records are held with.
        skipped: whether such records are left out by the map's `skip`.
        superfluous: whether such records are left out because Salesforce has by itself what they say.
        loaded: whether such records land, all of them or those that no code above stops.
        read: whether the source gives such records out at all.
    """

    group: str
    does: str
    reported: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    skipped: bool = False
    superfluous: bool = False
    loaded: bool = True
    read: bool = True


_AS_IT_IS: Final = "Kept as it is."
_NO_VALUE: Final = "No value: the column is empty."
_NO_EMAIL: Final = "The e-mail is left empty and reported, the row is loaded."
_LOCAL: Final = "Without the practice's zone nobody knows when that is: rejected until the map says `time_zone`"

RULES: Final[dict[str, Rule]] = {
    # Absence
    "zero_dates": Rule("Absence", _NO_VALUE),
    "no_birth_date": Rule("Absence", _NO_VALUE),
    "empty_for_null": Rule("Absence", "The same as null: no value, no parent."),
    "absent_fields": Rule(
        "Absence", "The same as null; a field that all records lack pauses the extract instead of emptying a column."
    ),
    "blank_texts": Rule("Absence", "Blanks around a text are dropped, an empty text is no value."),
    "null_words": Rule("Absence", "Kept as the text that it is, `#N/A` too, which Bulk would take for null."),
    "zero_references": Rule("Absence", "No parent: the column is empty, or the map's placeholder stands in."),
    "no_practice": Rule("Absence", "Belongs to the placeholder, Unassigned Account."),
    # Ids
    "long_ids": Rule("Ids", "Ids are texts from beginning to end; no digit is lost."),
    "merged_patients": Rule(
        "Ids",
        "Deleted before the start: not read, no row. What moved to the patient that stays is that patient's.",
        loaded=False,
        read=False,
    ),
    "merge_chains": Rule("Ids", "As above, each of them.", loaded=False, read=False),
    "duplicate_patients": Rule("Ids", "Two records are two rows; nobody is merged by a guess."),
    "duplicate_mrns": Rule("Ids", "Kept as it is; rows are told apart by their id, never by the MRN."),
    "deleted_records": Rule(
        "Ids",
        "Deleted before the start: not read, no row. What still refers to one is held by its name, or gets the placeholder.",
        held=("PARENT_ABSENT",),
        loaded=False,
        read=False,
    ),
    "undeleted_records": Rule("Ids", "An ordinary record; a delete that is older than its change changes nothing."),
    "archived_records": Rule("Ids", "Read from the archive's feed and loaded like any other."),
    # Money
    "float_amounts": Rule("Money", "Read as a decimal, kept to the cent."),
    "three_decimals": Rule(
        "Money", "Kept as text in the line items; an amount is rounded to the cent, and that is reported."
    ),
    "cent_amounts": Rule(
        "Money",
        "Nobody can tell cents from dollars in an amount without decimals: rejected, until the map says `whole: cents` or `whole: units`.",
        rejected=("AMOUNT_WITHOUT_CENTS",),
        loaded=False,
    ),
    "currency_amounts": Rule("Money", "Currency sign and commas between thousands are dropped."),
    "bracketed_amounts": Rule("Money", "A negative amount."),
    # Time
    "local_times": Rule("Time", f"{_LOCAL}.", rejected=("INVALID_DATETIME",), loaded=False),
    "clock_gaps": Rule(
        "Time",
        f"{_LOCAL}; with it, read as if the clock had not been put forward, and reported.",
        rejected=("INVALID_DATETIME",),
        loaded=False,
    ),
    "clock_overlaps": Rule(
        "Time", f"{_LOCAL}; with it, the first of the two, and reported.", rejected=("INVALID_DATETIME",), loaded=False
    ),
    "reversed_times": Rule(
        "Time", "The end is the start and the duration; what the record says of its end is not asked."
    ),
    "long_visits": Rule(
        "Time",
        "Salesforce takes no Event of more than a day unless the org has multi-day events: rejected by it.",
        rejected=("FIELD_INTEGRITY_EXCEPTION",),
        loaded=False,
    ),
    "two_digit_years": Rule(
        "Time", "The birth date is left empty and reported: 68 may be 1968 or 2068.", reported=("INVALID_DATE_BLANKED",)
    ),
    "us_dates": Rule(
        "Time",
        "Day and month are not guessed: a birth date is left empty and reported, a bill of such a date is rejected.",
        reported=("INVALID_DATE_BLANKED",),
        rejected=("INVALID_DATE",),
    ),
    "future_births": Rule("Time", "Kept as it is, as Salesforce takes it."),
    "pattern_durations": Rule("Time", "Five minutes a sign."),
    # Codes
    "empty_codes": Rule("Codes", _NO_VALUE),
    "custom_codes": Rule(
        "Codes",
        "The status is kept as it is; it is not taken for a cancellation, and that is reported.",
        reported=("VALUE_NOT_MAPPED_REPLACED",),
    ),
    "numeric_codes": Rule("Codes", "Mapped by number, like the words."),
    "text_booleans": Rule("Codes", "true, yes, y, 1, x, on and their opposites, in upper or lower case."),
    "opt_out_flags": Rule(
        "Codes",
        "Not moved: the default map has no column for either flag, so that neither is taken for its opposite. "
        "`values: {TRUE: false, FALSE: true}` in a map turns one round.",
    ),
    # Names
    "accents": Rule("Names", _AS_IT_IS),
    "capital_names": Rule("Names", "Kept as it is; nobody's name is rewritten."),
    "comma_names": Rule("Names", "Kept as it is; a surname is not taken apart by a guess."),
    "numbered_names": Rule("Names", _AS_IT_IS),
    "decomposed_accents": Rule("Names", "Kept as it is, character by character."),
    "spaced_names": Rule("Names", "Blanks around it are dropped."),
    "quoted_names": Rule("Names", "Kept as it is, also through Bulk's CSV."),
    "odd_preferred_names": Rule("Names", _AS_IT_IS),
    "missing_surnames": Rule(
        "Names",
        "Salesforce has no contact without one: rejected; what is theirs is held by name.",
        rejected=("REQUIRED_MISSING",),
        loaded=False,
    ),
    "endless_names": Rule(
        "Names", "Rejected: a name that is cut is another one.", rejected=("TEXT_TOO_LONG",), loaded=False
    ),
    # Contact data
    "family_emails": Rule("Contact data", "Kept as it is: several rows with one e-mail."),
    "placeholder_emails": Rule(
        "Contact data",
        f"What has the form of an e-mail is kept. Otherwise: {_NO_EMAIL[0].lower()}{_NO_EMAIL[1:]}",
        reported=("INVALID_EMAIL_BLANKED",),
    ),
    "invalid_emails": Rule("Contact data", _NO_EMAIL, reported=("INVALID_EMAIL_BLANKED",)),
    "several_emails": Rule(
        "Contact data",
        f"{_NO_EMAIL} Which of them is the patient's is not guessed.",
        reported=("INVALID_EMAIL_BLANKED",),
    ),
    "spaced_emails": Rule("Contact data", "Blanks around it are dropped."),
    "worded_phones": Rule("Contact data", "Kept as it is: a phone is a text in Salesforce."),
    "phone_extensions": Rule("Contact data", _AS_IT_IS),
    "placeholder_phones": Rule("Contact data", _AS_IT_IS),
    "several_phones": Rule("Contact data", "Kept as it is, both in one column."),
    "empty_phones": Rule("Contact data", _NO_VALUE),
    "multiline_addresses": Rule("Contact data", "Kept as it is, the line break as LF."),
    "short_postcodes": Rule("Contact data", "Kept as it is: a postcode is a text, and its zero is not guessed."),
    "empty_postcodes": Rule("Contact data", _NO_VALUE),
    "state_names": Rule("Contact data", "Kept as it is. An org with state picklists rejects what it does not know."),
    # Text
    "html_notes": Rule("Text", "Kept as it is: the text, markup and all."),
    "mixed_line_ends": Rule("Text", "Line ends become LF."),
    "quotes_in_text": Rule("Text", "Kept as it is, also through Bulk's CSV."),
    "emoji": Rule("Text", _AS_IT_IS),
    "formulas": Rule("Text", "Kept as it is: values are never part of a query, and Salesforce computes none."),
    "odd_scripts": Rule("Text", _AS_IT_IS),
    "control_characters": Rule(
        "Text", "Salesforce can't store it: dropped and reported.", reported=("CONTROL_CHARACTERS_DROPPED",)
    ),
    "endless_notes": Rule(
        "Text",
        "Rejected: a note that is cut is another one. `too_long: truncate` in the map cuts and reports.",
        rejected=("TEXT_TOO_LONG",),
        loaded=False,
    ),
    "worded_numbers": Rule("Text", "Kept as it is: a result is a text in Salesforce."),
    # Relations
    "dangling_practices": Rule("Relations", "Belongs to the placeholder, and to its own practice once that is there."),
    "orphan_appointments": Rule(
        "Relations",
        "Of no patient: a break, left out by the map's `skip`. Of a patient who does not exist: held by name.",
        held=("PARENT_ABSENT",),
        skipped=True,
        loaded=False,
    ),
    "providers_without_email": Rule(
        "Relations",
        "Held until somebody says who owns what is theirs (`carryover owners`).",
        held=("OWNER_UNDECIDED", "OWNER_NO_EMAIL"),
    ),
    "shared_provider_emails": Rule(
        "Relations",
        "Both are that Salesforce user; who has none is held until somebody decides.",
        held=("OWNER_UNDECIDED", "OWNER_UNMATCHED"),
    ),
    "many_children": Rule("Relations", "Loaded like any; a row that finds its parent locked goes again."),
    "guarantor_cycles": Rule("Relations", "Not moved: the default map has no column for it, so nothing waits for it."),
    "practice_cycles": Rule(
        "Relations", "Broken at the smallest id, loaded, linked again where the org takes a circle."
    ),
    "self_parents": Rule(
        "Relations", "Loaded without a parent, and that is reported.", reported=("SELF_REFERENCE_BLANKED",)
    ),
    "own_practices": Rule(
        "Relations",
        "Left out: Salesforce relates a patient and their own practice by itself.",
        superfluous=True,
        loaded=False,
    ),
    "unknown_practices": Rule(
        "Relations", "Held by name, until the practice is there.", held=("PARENT_ABSENT",), loaded=False
    ),
    "repeated_practices": Rule(
        "Relations",
        "One of the two is loaded; the other is held with the row that is in its way, as Salesforce relates no two twice.",
        held=("RELATION_TAKEN",),
    ),
    # Attachments
    "empty_documents": Rule(
        "Attachments", "Rejected: Salesforce has no file without bytes.", rejected=("DOCUMENT_EMPTY",), loaded=False
    ),
    "huge_documents": Rule(
        "Attachments", "Rejected before a byte is read.", rejected=("DOCUMENT_TOO_LARGE",), loaded=False
    ),
    "same_filenames": Rule("Attachments", "Two documents; they are told apart by their id, never by the name."),
    "wrong_content_types": Rule("Attachments", "Loaded; Salesforce takes the type from the file's name."),
    "missing_contents": Rule("Attachments", "Rejected.", rejected=("DOCUMENT_MISSING",), loaded=False),
    "unprocessed_documents": Rule(
        "Attachments", "Looked at again for a minute, then held.", held=("DOCUMENT_NOT_PROCESSED",), loaded=False
    ),
}
"""By kind, class by class."""


def codes(kinds: Collection[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The codes that records of these kinds are rejected with, and those that they are held with."""
    rules = [RULES[kind] for kind in kinds]
    return (
        frozenset(code for rule in rules for code in rule.rejected),
        frozenset(code for rule in rules for code in rule.held),
    )

"""The catalogue of dirt: every kind of nonsense that a practice's own data holds after years of use, by name.

Owns the names, what each means, which are usual, and how a choice is written. What they do to a record is in `soil`
(the usual ones), `spoilers` (the others) and `tangles` (those between records). Called by the generator and the
command line.
"""

from typing import Final

TRAITS: Final = {  # not dirt, but true of every practice unless `none` is asked for
    "accents": "names with accents, apostrophes and letters beyond ASCII",
    "family_emails": "members of a family share one e-mail",
    "no_practice": "1 % of the patients belong to no practice",
}
USUAL_KINDS: Final = {
    "dangling_practices": "0.5 % of the patients belong to a practice that does not exist",
    "html_notes": "markup and entities in plain text",
    "mixed_line_ends": "LF, CRLF and both in one text",
    "quotes_in_text": "quotes, commas, semicolons, tabs, bars and backslashes in text",
    "emoji": "emoji, joined ones too, in notes and names",
    "formulas": "text that a spreadsheet or a database would take for a command",
    "null_words": 'texts that look like nothing: "null", "#N/A", "-"',
    "odd_scripts": "text from right to left, blanks of no width",
    "blank_texts": "empty text, and blanks around text",
    "control_characters": "a NUL in the notes of one patient",
    "endless_notes": "two notes of 40,000 characters",
    "placeholder_emails": "none@none.com, n/a, unknown",
    "invalid_emails": "e-mails that are none",
    "several_emails": "two e-mails in one field",
    "spaced_emails": "blanks around an e-mail",
    "worded_phones": '"call mum" as a phone number',
    "phone_extensions": '"ext. 12" in a phone number',
    "placeholder_phones": "0000000000",
    "several_phones": "two numbers in one field",
    "empty_phones": "an empty text where others have null",
    "missing_surnames": "a surname that is null, empty or blank",
    "zero_dates": "0001-01-01 for no date",
    "no_birth_date": "a birth date that is null",
    "spaced_names": "blanks around a first name",
    "quoted_names": 'a surname with "Junior" in quotes',
    "multiline_addresses": "a line break inside an address",
    "odd_preferred_names": "markup, emoji, commas as a preferred name",
    "endless_names": "a surname of 105 characters",
}
FURTHER_KINDS: Final = {
    "empty_for_null": "an empty text where a time or a reference is missing",
    "absent_fields": "a record that lacks a field altogether",
    "zero_references": '"0" for a reference to nothing',
    "long_ids": "ids of 16 digits, above 2^53",
    "merged_patients": "an old id, deleted, that was merged into a new one",
    "merge_chains": "an id merged into one that was merged itself",
    "duplicate_patients": "the same person twice, with different ids",
    "duplicate_mrns": "one MRN for two patients",
    "deleted_records": "records of every resource that are already in the feed of deletions",
    "undeleted_records": "records deleted once and back since, with a newer time of change",
    "archived_records": "patients in the archive, in no listing",
    "float_amounts": "an amount as a number with a fraction",
    "three_decimals": "an amount with three decimals",
    "cent_amounts": "an amount in cents, as a whole number",
    "currency_amounts": '"$1,234.50"',
    "bracketed_amounts": '"(25.00)" for minus 25',
    "local_times": "a time of a visit without a zone",
    "clock_gaps": "a local time that does not exist, when clocks go forward",
    "clock_overlaps": "a local time that exists twice, when clocks go back",
    "reversed_times": "a visit that ends before it starts",
    "long_visits": "a visit that lasts three days, as of an inpatient; Synthea's sample has one like it",
    "two_digit_years": '"03/07/68"',
    "us_dates": '"03/07/1968"',
    "future_births": "a birth date that is yet to come",
    "pattern_durations": 'a duration as "//XXXX//", five minutes a sign',
    "empty_codes": "an empty status",
    "custom_codes": "a status that the practice made up",
    "numeric_codes": "a status as a number, with its text beside it",
    "text_booleans": '"true", "false", "1", "Yes", "X" for a yes or no',
    "opt_out_flags": "a refusal of mail where others have a consent to it",
    "capital_names": "A NAME IN CAPITALS",
    "comma_names": '"Smith, John" as a surname',
    "numbered_names": '"Maynard46"',
    "decomposed_accents": "accents as characters of their own (NFD)",
    "short_postcodes": "a postcode that lost its leading zero",
    "empty_postcodes": "an empty postcode",
    "state_names": "the name of a state where others have its code",
    "orphan_appointments": "a visit of no patient, or of one that does not exist",
    "providers_without_email": "a provider whose user has no e-mail",
    "shared_provider_emails": "two providers whose users share one e-mail",
    "many_children": "a patient with more than 10,000 visits",
    "guarantor_cycles": "patients who are each other's guarantor, or their own",
    "practice_cycles": "practices that are each other's parent, in a circle of three",
    "self_parents": "a practice that is its own parent",
    "empty_documents": "a document of 0 bytes",
    "huge_documents": "a document of more than 2 GB",
    "same_filenames": "documents of one patient with one name",
    "wrong_content_types": "a content type that the content is not of",
    "missing_contents": "a document whose content is gone (404)",
    "unprocessed_documents": "a document whose upload was never finished: it has no content yet, and never will",
    "own_practices": "a further practice that is the patient's own",
    "unknown_practices": "a further practice that does not exist",
    "repeated_practices": "the same further practice twice",
    "worded_numbers": 'a numeric result such as "<0.5" or "5,4"',
}
KINDS: Final = {**TRAITS, **USUAL_KINDS, **FURTHER_KINDS}
CLEAN: Final = frozenset(TRAITS)
USUAL: Final = frozenset({**TRAITS, **USUAL_KINDS})
WIDE: Final = frozenset(  # they need fields that only a wide practice has
    {"empty_for_null", "merged_patients", "merge_chains", "numeric_codes", "opt_out_flags", "guarantor_cycles"}
)
_SETS: Final = {"all": frozenset(KINDS), "usual": USUAL, "clean": CLEAN, "none": frozenset[str]()}


def chosen(text: str) -> frozenset[str]:
    """The kinds that a comma-separated list of names and of the sets `all`, `usual`, `clean`, `none` means.

    Raises:
        ValueError: A name is unknown; the text says which.
    """
    found: frozenset[str] = frozenset()
    for name in filter(None, (part.strip() for part in text.split(","))):
        if name not in KINDS and name not in _SETS:
            raise ValueError(f"there is no dirt called {name}")
        found |= _SETS.get(name, frozenset({name}))
    return found

"""Which tests show what becomes of each kind of dirt, beside those that every kind goes through."""

from __future__ import annotations

from typing import Final

from cutover.dirty_data import RULES
from tests.dirt.test_mapping import VALUES

_MAPPING: Final = "tests/dirt/test_mapping.py::"
_PIPELINE: Final = "tests/pipeline/test_dirty.py::"

EVERY: Final = (
    f"{_MAPPING}test_each_kind_is_mapped_as_declared",
    f"{_PIPELINE}test_each_kind_ends_as_declared",
)
"""Every kind that the source gives out goes through these."""

UNREAD: Final = (
    f"{_MAPPING}test_what_was_deleted_before_the_start_is_in_no_listing",
    f"{_PIPELINE}test_what_was_deleted_before_the_start_is_nowhere",
)
VALUE: Final = f"{_MAPPING}test_the_columns_of_such_a_record_hold_what_the_rule_says"
_ZONE: Final = f"{_MAPPING}test_with_the_practices_zone_local_times_are_instants"
_NOT_MOVED: Final = f"{_MAPPING}test_a_field_that_the_map_does_not_move_changes_nothing_of_the_row"

FURTHER: Final[dict[str, tuple[str, ...]]] = {
    "absent_fields": (
        "tests/extract/test_extract.py::test_fields_that_the_map_needs_are_waited_for_and_never_blanked",
    ),
    "null_words": ("tests/pipeline/test_dirty.py::test_words_that_mean_null_elsewhere_arrive_as_text",),
    "no_practice": (
        "tests/pipeline/test_moving.py::test_a_patient_of_a_missing_practice_gets_the_stand_in_and_then_its_own",
    ),
    "merged_patients": (
        "tests/pipeline/test_contact_roles.py::test_when_patients_are_merged_their_bills_go_over_to_the_one_that_stays",
    ),
    "duplicate_patients": (
        "tests/pipeline/test_adoption.py::test_two_patients_alike_whom_the_org_does_not_know_are_two_rows",
    ),
    "undeleted_records": (
        "tests/pipeline/test_moving.py::test_a_deleted_visit_leaves_and_an_undeleted_one_comes_back",
    ),
    "archived_records": ("tests/pipeline/test_source_changes.py::test_an_archived_patient_stays",),
    "three_decimals": (
        f"{_MAPPING}test_an_amount_of_more_than_two_decimals_is_rounded_to_the_cent_and_that_is_reported",
    ),
    "cent_amounts": ("tests/mapping/test_further_forms.py::test_an_amount_without_decimals_means_what_the_map_says",),
    "local_times": (_ZONE,),
    "clock_gaps": (_ZONE,),
    "clock_overlaps": (_ZONE,),
    "reversed_times": (f"{_MAPPING}test_a_visit_ends_after_it_starts_whatever_the_record_says_of_its_end",),
    "pattern_durations": (f"{_MAPPING}test_a_pattern_is_five_minutes_a_sign",),
    "opt_out_flags": (_NOT_MOVED, "tests/mapping/test_plan.py::test_a_value_map_can_invert_a_flag"),
    "guarantor_cycles": (_NOT_MOVED,),
    "dangling_practices": (
        "tests/pipeline/test_moving.py::test_a_patient_of_a_missing_practice_gets_the_stand_in_and_then_its_own",
    ),
    "orphan_appointments": (
        "tests/pipeline/test_moving.py::test_a_visit_that_becomes_a_break_leaves_and_is_skipped_by_the_maps_rule",
    ),
    "providers_without_email": ("tests/pipeline/test_owners.py::test_a_decision_at_run_time_releases_what_waits",),
    "practice_cycles": ("tests/pipeline/test_moving.py::test_practices_in_a_circle_arrive_and_are_linked",),
    "own_practices": ("tests/pipeline/test_memberships.py::test_the_patients_own_practice_is_left_out_by_rule",),
    "repeated_practices": (
        "tests/pipeline/test_memberships.py::test_the_same_practice_twice_is_held_and_an_unknown_one_waits",
    ),
    "empty_documents": ("tests/pipeline/test_documents.py::test_what_can_not_be_loaded_says_why",),
    "huge_documents": ("tests/pipeline/test_documents.py::test_what_can_not_be_loaded_says_why",),
    "missing_contents": ("tests/pipeline/test_documents.py::test_what_can_not_be_loaded_says_why",),
    "unprocessed_documents": ("tests/pipeline/test_documents.py::test_what_can_not_be_loaded_says_why",),
}


def of(kind: str) -> tuple[str, ...]:
    """The tests of a kind, beside `EVERY`; for one that the source does not give out all of them."""
    own = () if RULES[kind].read else UNREAD
    return (*own, *((VALUE,) if kind in VALUES else ()), *FURTHER.get(kind, ()))

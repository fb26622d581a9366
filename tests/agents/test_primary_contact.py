"""Whatever roles an opportunity has, the steps lead to the wanted contact, touch nobody's roles, and are done with after one time, wherever they break off."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from agents.primary_contact import Role, Steps, steps

CONTACTS = ("ann", "ben", "cleo")
ROLES = st.lists(st.builds(Role, st.just(""), st.sampled_from(CONTACTS), st.booleans(), st.booleans()), max_size=5).map(
    lambda found: one_primary([role._replace(id=f"role{number}") for number, role in enumerate(found)])
)
WANTED = st.sampled_from((*CONTACTS, ""))
_NUMBERS = itertools.count()
FORMER = st.sampled_from((*CONTACTS, "", None))


def one_primary(roles: list[Role]) -> list[Role]:
    """As Salesforce keeps them: the last primary one is left."""
    last = max((number for number, role in enumerate(roles) if role.primary), default=-1)
    return [role._replace(primary=number == last) for number, role in enumerate(roles)]


def partly(roles: list[Role], wanted: str, plan: Steps) -> Iterator[list[Role]]:
    """The roles after none, one, two, … of the calls, as Salesforce does them; a role that stops being primary is stamped with us."""
    yield roles
    if plan.promote is not None:
        assert any(role.id == plan.promote for role in roles)
        roles = [role._replace(primary=role.id == plan.promote) for role in roles]
        yield roles
    if plan.create:
        roles = [role._replace(primary=False) for role in roles]
        roles = [*roles, Role(f"new {next(_NUMBERS)}", wanted, primary=True, untouched=True)]
        yield roles
    for gone in plan.remove:
        roles = [role for role in roles if role.id != gone]
        yield roles


def primary(roles: list[Role]) -> str:
    return next((role.contact for role in roles if role.primary), "")


@given(ROLES, WANTED, FORMER, st.booleans())
def test_the_primary_contact_becomes_the_one_wanted(
    roles: list[Role], wanted: str, former: str | None, ours: bool
) -> None:
    *_, after = partly(roles, wanted, steps(roles, wanted, former, ours=ours))
    if wanted:
        assert primary(after) == wanted
        assert sum(role.contact == wanted for role in after) >= 1
    else:
        assert primary(after) in {"", primary(roles)}


@given(ROLES, WANTED, FORMER, st.booleans())
def test_nothing_is_left_to_do_afterwards(roles: list[Role], wanted: str, former: str | None, ours: bool) -> None:
    *_, after = partly(roles, wanted, steps(roles, wanted, former, ours=ours))
    assert steps(after, wanted, former, ours=ours).none
    assert steps(after, wanted, wanted, ours=ours).none


@given(ROLES, WANTED, FORMER, st.booleans())
def test_broken_off_anywhere_it_comes_to_the_same_contact_and_makes_no_second_role(
    roles: list[Role], wanted: str, former: str | None, ours: bool
) -> None:
    plan = steps(roles, wanted, former, ours=ours)
    *_, whole = partly(roles, wanted, plan)
    for broken in partly(roles, wanted, plan):
        *_, after = partly(broken, wanted, steps(broken, wanted, former, ours=ours))
        assert primary(after) == primary(whole)
        assert sum(role.contact == wanted for role in after) == sum(role.contact == wanted for role in whole)


@given(ROLES, WANTED, FORMER, st.booleans())
def test_roles_that_people_had_a_hand_in_are_never_removed(
    roles: list[Role], wanted: str, former: str | None, ours: bool
) -> None:
    removed = set(steps(roles, wanted, former, ours=ours).remove)
    assert not removed & {role.id for role in roles if not role.untouched}


@given(ROLES, WANTED)
def test_of_an_opportunity_that_somebody_else_made_no_role_goes_the_first_time(roles: list[Role], wanted: str) -> None:
    first = steps(roles, wanted, "", ours=False)
    stay = {role.contact for role in roles} - {wanted}
    *_, after = partly(roles, wanted, first)
    assert stay <= {role.contact for role in after}


@given(st.lists(st.sampled_from((*CONTACTS, "")), min_size=1, max_size=6))
def test_however_often_the_patient_changes_there_is_one_role_of_ours(changes: list[str]) -> None:
    roles = [Role("with the row", "ann", primary=True, untouched=True)]
    for former, wanted in itertools.pairwise(["ann", *changes]):
        *_, roles = partly(roles, wanted, steps(roles, wanted, former, ours=True))
        assert [role.contact for role in roles] == ([wanted] if wanted else [])


def test_who_has_a_role_gets_no_second_one() -> None:
    ours, theirs = Role("1", "ann", primary=True, untouched=True), Role("2", "ben", primary=False, untouched=False)
    assert steps([ours, theirs], "ben", "ann", ours=True) == Steps("2", create=False, remove=("1",))


def test_a_second_role_of_ours_for_the_same_contact_goes() -> None:
    twice = [Role(name, "ann", primary=name == "2", untouched=True) for name in ("1", "2")]
    assert steps(twice, "ann", "ann", ours=True) == Steps(None, create=False, remove=("1",))

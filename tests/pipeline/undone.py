"""An org before a cutover and after its rollback: the same, but for the rows that the command lists as kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias

import httpx

from cutover import phase
from cutover.outcome import DIFFERENT, FINE
from sandbox.process import SandboxProcess
from tests.pipeline.pipeline import CODEC, Pipeline

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = dict[str, dict[str, Row]]

STAMPS = {"LastModifiedDate", "LastModifiedById", "SystemModstamp"}


def everything(sandbox: SandboxProcess) -> Rows:
    """The live rows of every object of the org by id, without what tells who changed them last and when."""
    dump = httpx.get(f"{sandbox.salesforce['url']}/__admin/dump", timeout=60).raise_for_status().json()
    return {
        sobject: {row["Id"]: unstamped(row) for row in rows if not row.get("IsDeleted")}
        for sobject, rows in dump.items()
    }


def unstamped(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in STAMPS}


async def run_of(pipeline: Pipeline) -> str:
    newest = await phase.newest(pipeline.settings, CODEC)
    assert newest is not None
    return newest["run"]


async def phase_of(pipeline: Pipeline) -> str:
    newest = await phase.newest(pipeline.settings, CODEC)
    assert newest is not None
    return newest["phase"]


def kept_with(pipeline: Pipeline, *contacts: Row) -> set[str]:
    """References of contacts, and of the accounts that they hang on."""
    accounts = {row["Id"]: row for row in pipeline.org.rows("Account").values()}
    found = {row["VP_Id__c"] for row in contacts}
    for row in contacts:
        above = row.get("AccountId")
        while above in accounts:
            found.add(accounts[above]["VP_Id__c"])
            above = accounts[above].get("ParentId")
    return found


def check_as_before(before: Rows, after: Rows, kept: Collection[str]) -> None:
    """Fails unless all is as it was but for rows of these Salesforce ids, and for rows that Salesforce itself made beside these."""
    ids = set(kept)
    for sobject, rows in after.items():
        stay = {key: row for key, row in rows.items() if key not in ids and not _beside(row, ids)}
        was = {key: row for key, row in before[sobject].items() if key not in ids}
        assert stay.keys() == was.keys(), f"{sobject}: left {named(stay, was)}, missing {named(was, stay)}"
        for key, row in stay.items():
            differing = sorted(name for name in row.keys() | was[key].keys() if row.get(name) != was[key].get(name))
            assert not differing, f"{sobject} {key} ({row.get('VP_Id__c')}) is not what it was: {differing}"


def _beside(row: Row, ids: set[str]) -> bool:
    return not row.get("VP_Id__c") and not ids.isdisjoint(map(str, row.values()))


def named(rows: dict[str, Row], others: Collection[str]) -> list[str]:
    """The first few of the rows that are not among the others."""
    return [f"{key} ({row.get('VP_Id__c')})" for key, row in rows.items() if key not in others][:10]


async def undo(pipeline: Pipeline, sandbox: SandboxProcess, before: Rows, edited: Collection[Row] = ()) -> None:
    """Rolls the cutover back by the command, and checks what it says and what the org holds then.

    Arguments:
        before: the org before anything was moved.
        edited: contacts that a person has edited: they stay as they are, with the accounts that they hang on.
    """
    here = everything(sandbox)["Contact"]
    expected = kept_with(pipeline, *edited)
    code, report = await pipeline.carryover("rollback", "apply", "--run", await run_of(pipeline))
    assert report is not None, f"the rollback ended with {code} and without a word"
    reasons = {one["reference"]: (one["reason"], one["detail"]) for one in report["kept"]}
    assert reasons.keys() == expected, f"kept {reasons}, and not {sorted(expected)}"
    assert code == (DIFFERENT if expected else FINE)
    for row in edited:
        assert reasons[row["VP_Id__c"]][0] == "EDITED"
    assert await phase_of(pipeline) == "ROLLED_BACK"
    after = everything(sandbox)
    check_as_before(before, after, {one["row_id"] for one in report["kept"]})
    for row in edited:
        assert after["Contact"][row["Id"]] == here[row["Id"]], "what a person has edited is not as they left it"

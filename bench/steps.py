"""What each pure step on a record's way costs by itself, in microseconds of CPU: `python -m bench.steps`.

No Kafka and no Salesforce: what is missing to a stage's total is transport, HTTP, waiting for turns and the interpreter.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from agents.outputs import now_ms, operation_id, row_of
from agents.rowstate import RowState, digest
from bench import practice
from bench.measure import machine
from connectors.salesforce.csv_rows import CsvRows
from mapping.comparators import compile_comparison
from mapping.document import default_map_text, load_map
from mapping.plan import compile_plan
from topics.catalogue import Catalogue
from topics.codec import Codec

_T = TypeVar("_T")
_R = TypeVar("_R")


def timed(name: str, step: Callable[[_T], _R], items: Iterable[_T], rounds: int = 5) -> list[_R]:
    """Does ``step`` to every item, prints the least time it took a piece, and returns what came out."""
    given, best = list(items), float("inf")
    out: list[_R] = []
    for _ in range(rounds):
        began = time.process_time()
        out = [step(item) for item in given]
        best = min(best, time.process_time() - began)
    print(f"  {name:<44} {1e6 * best / len(given):>6.1f}", flush=True)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.steps", description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=2000, help="(%(default)s)")
    given = parser.parse_args()
    codec, catalogue, document = Codec(), Catalogue(), load_map(default_map_text(), "the default map")
    plan, comparison = compile_plan(document, "patient"), compile_comparison(document, "patient")
    topic = catalogue.vp("patient")
    records = [record for record in practice.records(catalogue, given.patients) if record[0] == topic]
    ids = [record[1].decode() for record in records]
    print(f"{machine()}; microseconds a patient")

    changes = timed("map: decode the change", lambda record: codec.decode(record[2])[1], records)
    mapped = timed(
        "map: apply the map",
        lambda one: plan.map(one[0], one[1]["fields"], one[1]["custom"], one[1]["run"]),
        zip(ids, changes, strict=True),
    )
    waiting = [_waiting(*one) for one in zip(ids, changes, mapped, strict=True)]
    parked = timed("map: encode the waiting row", lambda message: codec.encode("waiting", message), waiting)
    timed("resolve: decode the waiting row", lambda data: codec.decode(data)[1], parked)
    rows = [message["row"] for message in waiting]
    ready = timed("resolve: encode the ready row", lambda row: codec.encode("ready", row), rows)
    timed("load: decode the ready row", lambda data: codec.decode(data)[1], ready)
    upload = CsvRows([*rows[0]["columns"]], most_rows=sys.maxsize)
    timed("load: write it as CSV", lambda row: upload.add(row["columns"]), rows)
    timed("load: digest of its content", lambda row: digest(row["columns"]), rows)
    timed("load: its state, encoded", lambda row: RowState().after(row, "0", created=True).encode(), rows)
    operations = timed("load: encode its operation", lambda row: codec.encode("operation", _operation(row)), rows)
    timed("verify: decode the operation", lambda data: codec.decode(data)[1], operations)
    timed(
        "verify: compare the row with its source",
        lambda one: comparison.compare(
            one[0], one[1]["fields"], one[1]["custom"], one[2].columns | {"AccountId": "0"}, _no_parent
        ),
        zip(ids, changes, mapped, strict=True),
    )
    sizes = {"change": records[0][2], "waiting": parked[0], "ready": ready[0], "operation": operations[0]}
    print("  bytes: " + ", ".join(f"{name} {len(data)}" for name, data in sizes.items()))
    return 0


def _waiting(vp_id: str, change: dict[str, Any], mapped: Any) -> dict[str, Any]:
    source: Any = {"topic": "vp.patient", "partition": 1, "offset": 123_456}
    row = row_of(
        "patient", "Contact", f"patient:{vp_id}", change["version"], change["run"], source, columns=mapped.columns
    )
    need = mapped.references[0]
    return {
        "parent": need.parent,
        "child": row["reference"],
        "row": row,
        "column": need.column,
        "on_absent": need.on_absent,
        "left": [],
    }


def _operation(row: dict[str, Any]) -> dict[str, Any]:
    own, version = row["reference"], row["version"]
    done = {
        "id": operation_id("land", own, "owner", version, "Contact"),
        "what": "create",
        "outcome": "loaded",
        "code": None,
        "detail": None,
    }
    kept = {name: row[name] for name in ("reference", "object", "sobject", "facet", "version", "run", "source")}
    return {**done, **kept, "row_id": "003000000000001AAA", "columns": list(row["columns"]), "at": now_ms()}


def _no_parent(sf_id: str) -> str | None:
    return None


if __name__ == "__main__":
    sys.exit(main())

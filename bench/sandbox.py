"""Whether the sandbox is fast enough not to be what a benchmark measures: `python -m bench.sandbox`. Ratios of one run, each side in a process of its own."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from typing import Any, Final

from bench import sandbox_bulk, sandbox_pages
from bench.measure import machine, spread, verdict

_BULK: Final = 4.0
_PAGES: Final = 4.0
_MEMORY: Final = 1.2
_MEGABYTE: Final = 1024 * 1024


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.sandbox", description=__doc__.partition(":")[0])
    parser.add_argument(
        "--rows", type=int, default=100_000, help="contacts, and a tenth of the larger load (%(default)s)"
    )
    parser.add_argument("--patients", type=int, default=20_000, help="patients to page over (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON too")
    given = parser.parse_args()
    print(machine(), flush=True)
    found = {"bulk": bulk(given.rows), "pages": pages(given.patients)}
    if given.json:
        print(json.dumps(found))
    return 0


def bulk(rows: int) -> dict[str, Any]:
    """Bulk ingest: CPU against the least, memory of ten times the rows."""
    found = sandbox_bulk.measure(rows)
    turns, large = found["turns"], found["large"]
    small = turns[0]["ingest"]
    print(f"  {rows:>9,} contacts: {spread([turn['ingest']['cpu'] for turn in turns])} s of CPU", flush=True)
    print(f"  {rows:>9,} rows, csv.reader to executemany: {spread([turn['least'] for turn in turns])} s of CPU")
    for one in (small, large):
        print(f"  {one['rows']:>9,} contacts: {one['rss'] // _MEGABYTE} MB, peak {one['peak'] // _MEGABYTE}")
    ratio = statistics.median(turn["ingest"]["cpu"] / turn["least"] for turn in turns)
    print(verdict("Bulk ingest, CPU to that of the least", ratio, _BULK, at_most=True))
    for which in ("rss", "peak"):
        told = f"Bulk ingest, {which}, {large['rows']:,} to {rows:,} contacts"
        print(verdict(told, large[which] / small[which], _MEMORY, at_most=True))
    return found


def pages(patients: int) -> dict[str, Any]:
    """Pages of patients: CPU against the least, memory over many of them."""
    found = sandbox_pages.measure(patients)
    for profile, one in found.items():
        each = one["cpu"] / one["pages"] * 1000
        now = one["rss_last"] // _MEGABYTE
        print(
            f"  {one['pages']:>9,} pages, {profile}: {one['cpu']:.2f} s of CPU, {each:.2f} ms each; {now} MB",
            flush=True,
        )
        print(f"  {one['rows']:>9,} rows, json.dumps: {one['least']:.2f} s of CPU")
        print(verdict(f"pages ({profile}), CPU to that of the least", one["cpu"] / one["least"], _PAGES, at_most=True))
        told = f"pages ({profile}), memory, after five walks to after one"
        print(verdict(told, one["rss_last"] / one["rss_first"], _MEMORY, at_most=True))
    return found


if __name__ == "__main__":
    sys.exit(main())

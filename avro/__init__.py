"""The Avro schemas of everything that travels, one `.avsc` per message, and `registry.json` that numbers them.

Data only: `topics.registry` reads them. A published schema never changes; a new version gets a new id, and the old
file moves to `history/` so that old bytes stay readable.
"""

from pathlib import Path

ROOT = Path(__file__).parent
"""Folder of the schema files and of `registry.json`."""

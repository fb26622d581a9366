"""Images in notes, as many notes as somebody asked for: by link to a document of the note's patient, in the text itself, or somewhere else.

Owns which notes have them and what they look like. Works on a practice that is written; called when a data directory is filled.
"""

import base64
import random
import sqlite3
from collections import defaultdict

import orjson

from sandbox.visual_practice.schema import DOCUMENT, NOTE, Record, Resource
from sandbox.visual_practice.storage import Storage

SIZES = (600, 4_000, 30_000, 900_000)  # bytes; the last one is more than a message of Kafka's usual size takes as text
HEADS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"}
ELSEWHERE = '<img src="https://images.example/logo.png" alt="Logo">'


def hang(storage: Storage, count: int, seed: int) -> None:
    """Puts images into `count` notes, those with the lowest numbers; of those in turn one by link, one in the text, one with several of all kinds."""
    dice = random.Random(f"pictures {seed}")
    with storage.writing() as connection:
        papers: dict[str, list[str]] = defaultdict(list)
        for paper in _all(connection, DOCUMENT):
            papers[str(paper.get("patient_id"))].append(str(paper["id"]))
        changed = []
        for number, note in enumerate(_all(connection, NOTE)[:count]):
            own = papers[str(note.get("patient_id"))]
            linked = f'<img alt="Scan" src="/v1/documents/{dice.choice(own)}/content">' if own else _inline(dice)
            images = (linked, _inline(dice), f"{_inline(dice)}<br>{linked} and {_inline(dice)}{ELSEWHERE}")[number % 3]
            changed.append(note | {"body": f"{note.get('body') or ''}<p>{images}</p>"})
        storage.put(connection, NOTE, changed)


def _inline(dice: random.Random) -> str:
    kind, head = dice.choice(sorted(HEADS.items()))
    data = head + dice.randbytes(dice.choices(SIZES, (6, 6, 3, 1))[0])
    return f'<img src="data:{kind};base64,{base64.b64encode(data).decode()}" alt="Photo">'


def _all(connection: sqlite3.Connection, resource: Resource) -> list[Record]:
    """The live records of a resource, those whose ids are no numbers last."""
    rows = connection.execute(f"SELECT body FROM {resource.name} ORDER BY number < 0, number, id")  # noqa: S608
    return [orjson.loads(body) for (body,) in rows]

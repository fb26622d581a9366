"""That what a map says of images in texts makes sense. Called by `rule_checks`."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from mapping.map_errors import Mistake
from mapping.near import near
from mapping.rules import FILE, PLACE, Column, ObjectRule
from mapping.source_fields import SOURCE_FIELDS
from mapping.yaml_lines import Path

__all__ = ["images", "taken_from"]

_RESOURCE: Final = "note-images"


def images(
    path: Path, rule: ObjectRule, column: Column, objects: Mapping[str, ObjectRule], declared: Collection[str]
) -> Iterator[Mistake]:
    """Check what the images of a column's text are.

    Args:
        path: Of the column.
        rule: Of the column's object.
        column: With or without `images`.
        objects: The objects that could be read.
        declared: Names of all objects in the text.

    Yields:
        Each mistake, with the path it belongs to.
    """
    if column.images is None:
        return
    place = (*path, "images")
    if column.as_ != "html":
        yield place, "`images` is about HTML", "say `as: html`, or remove it"
    if rule.kind != "row":
        yield place, "`images` is for records with rows of their own", "remove it"
    if column.too_long == "truncate":
        yield (*path, "too_long"), "an address can't be cut: `truncate` and `images` exclude each other", "remove one"
    for option in ("default", "default_by", "required", "where_allowed"):
        if option in column.model_fields_set:
            yield (*path, option), f"`{option}` and `images` exclude each other", "remove one of the two"
    for name in column.images:
        other = objects.get(name)
        if name not in declared:
            yield place, f"reference to unknown object `{name}`", near(name, declared)
        elif other is not None and not other.is_file:
            yield place, f"`{name}` is no file", f"name objects with `target: {FILE}`"


def taken_from(
    name: str, rule: ObjectRule, objects: Mapping[str, ObjectRule], declared: Collection[str]
) -> Iterator[Mistake]:
    """Check out of which other object's records those of an object are taken; mistakes as of `images`."""
    path: Path = ("objects", name)
    given = rule.taken_from
    if (given is None) != (rule.resource != _RESOURCE):
        hint = f"write both: `resource: {_RESOURCE}` and `taken_from: {{object: note, from: body}}`"
        yield path, f"`taken_from` and `resource: {_RESOURCE}` go together", hint
        return
    if given is None:
        return
    place, other = (*path, "taken_from"), objects.get(given.object)
    if given.object not in declared:
        yield place, f"reference to unknown object `{given.object}`", near(given.object, declared)
    if other is None:
        return
    fields = SOURCE_FIELDS.get(other.resource)
    if fields is not None and given.from_ not in fields:
        yield place, f"`{other.resource}` has no field `{given.from_}`", near(given.from_, fields)
    elif not any(column.from_ == given.from_ and name in (column.images or ()) for column in other.columns.values()):
        hint = f"say `images: [{name}]` at the column of `{given.object}` that is made of `{given.from_}`"
        yield place, f"no text of `{given.object}` says where its images are", hint
    shown = rule.columns.get(PLACE)
    if shown is not None and shown.parent == given.object and shown.on_absent != "later":
        hint = f"say `on_absent: later`: the {given.object} waits for its images"
        yield (*path, "columns", PLACE), "the two would wait for each other", hint

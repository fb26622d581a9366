"""That the objects of a map without rows of their own make sense: users, who stands for them, and what counts in others' rows.

Called by `rule_checks`.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from mapping.map_errors import Mistake
from mapping.near import near
from mapping.rules import ObjectRule, PartOf
from mapping.source_fields import SOURCE_FIELDS
from mapping.yaml_lines import Path

__all__ = ["records_of", "special_object"]

_SPECIAL: Final = ("decide", "same_as", "part_of")
_ROW_ONLY: Final = ("external_id", "on_delete", "deleted_column")
_PLAIN: Final = frozenset({"from", "custom", "join", "constant"})


def special_object(
    name: str, rule: ObjectRule, objects: Mapping[str, ObjectRule], declared: Collection[str]
) -> Iterator[Mistake]:
    """Check an object whose records become no rows of their own.

    Args:
        name: Of the object.
        rule: With `decide`, `same_as` or `part_of`.
        objects: The objects that could be read.
        declared: Names of all objects in the text.

    Yields:
        Each mistake, with the path it belongs to.
    """
    path: Path = ("objects", name)
    given = [key for key in _SPECIAL if getattr(rule, key) is not None]
    if len(given) > 1:
        yield (*path, given[1]), f"`{given[0]}` and `{given[1]}` exclude each other", "keep one of the two"
    for key in _ROW_ONLY:
        if key in rule.model_fields_set:
            yield (*path, key), f"`{key}` means nothing with `{given[0]}`", "remove it"
    fields = SOURCE_FIELDS.get(rule.resource)
    if rule.decide is not None:
        if fields is not None and rule.decide not in fields:
            yield (*path, "decide"), f"`{rule.resource}` has no field `{rule.decide}`", near(rule.decide, fields)
        yield from _of_users(path, rule, "decide")
    if rule.same_as is not None:
        yield from _of_users(path, rule, "same_as")
        yield from _link(path, "same_as", rule, rule.same_as.parent, rule.same_as.from_, declared)
        other = objects.get(rule.same_as.parent)
        if other is not None and (other.kind not in {"owner", "same_as"} or rule.same_as.parent == name):
            yield (*path, "same_as"), f"`{rule.same_as.parent}` owns nothing", "name an object with `decide`"
    if rule.part_of is not None:
        yield from _part(path, rule, objects, declared)


def records_of(
    path: Path, rule: ObjectRule, objects: Mapping[str, ObjectRule], declared: Collection[str]
) -> Iterator[Mistake]:
    """Check from which other object an object takes its records; arguments and mistakes as of `special_object`."""
    place, given = (*path, "records_of"), rule.records_of
    if given is None:
        return
    other = objects.get(given)
    if given not in declared:
        yield place, f"reference to unknown object `{given}`", near(given, declared)
    elif rule.part_of is None and not rule.attaches:
        hint = "only records that count in another row, or become Attachments, are read from another object"
        yield place, "`records_of` needs `part_of`", hint
    elif other is not None and other.records_of is not None:
        yield place, f"`{given}` has no records of its own", f"say `records_of: {other.records_of}`"
    elif other is not None and other.resource != rule.resource:
        hint = f"say `resource: {other.resource}`"
        yield (*path, "resource"), f"the records of `{given}` are of another resource", hint


def _of_users(path: Path, rule: ObjectRule, key: str) -> Iterator[Mistake]:
    if rule.target != "User":
        yield (*path, "target"), f"with `{key}` the target is User", "say `target: User`"
    if rule.columns:
        yield (*path, "columns"), f"`columns` means nothing with `{key}`", "remove it; users are not written"


def _link(
    path: Path, key: str, rule: ObjectRule, other: str, field: str, declared: Collection[str]
) -> Iterator[Mistake]:
    if other not in declared:
        yield (*path, key), f"reference to unknown object `{other}`", near(other, declared)
    fields = SOURCE_FIELDS.get(rule.resource)
    if fields is not None and field not in fields:
        yield (*path, key), f"`{rule.resource}` has no field `{field}`", near(field, fields)


def _part(
    path: Path, rule: ObjectRule, objects: Mapping[str, ObjectRule], declared: Collection[str]
) -> Iterator[Mistake]:
    part = rule.part_of
    if part is None:
        return
    yield from _link(path, "part_of", rule, part.object, part.from_, declared)
    other = objects.get(part.object)
    if other is not None and other.kind != "row":
        yield (*path, "part_of"), f"`{part.object}` has no rows", "name an object with rows of its own"
    if other is not None and other.target != rule.target:
        yield (*path, "target"), f"it counts in rows of {other.target}", f"say `target: {other.target}`"
    if not rule.columns:
        yield path, "it has no values that could count", "add `columns:` with at least one"
    yield from _order((*path, "part_of"), rule, part)
    for column, spec in rule.columns.items():
        if spec.kind not in _PLAIN:
            hint = "use `from`, `custom`, `join` or `constant`"
            yield (*path, "columns", column), "a value that counts comes from its own record", hint


def _order(place: Path, rule: ObjectRule, part: PartOf) -> Iterator[Mistake]:
    """What says which of the records comes first, and which are over."""
    for name in (each.removeprefix("-") for each in part.order):
        if name not in rule.columns:
            yield place, f"`order` names `{name}`, which is no column of this object", near(name, rule.columns)
    for option, column in (("ends", part.over.ends), ("seen", part.over.seen)) if part.over is not None else ():
        spec = rule.columns.get(column)
        if spec is None:
            yield place, f"`{option}` names `{column}`, which is no column of this object", near(column, rule.columns)
        elif spec.as_ not in {"date", "day"}:
            yield place, f"`{column}` is a {spec.as_}, not a day", f"say `as: date` or `as: day` at `{column}`"

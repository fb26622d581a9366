"""That the rules of a map make sense together.

Owns the checks that need no org: known fields, known objects, options that mean something, placeholders that exist.
Called while a map is loaded, with whatever parts of it could be read.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from mapping.rules import OPTIONS, Column, ObjectRule, Placeholder
from mapping.source_fields import SOURCE_FIELDS
from mapping.yaml_lines import Path

__all__ = ["Mistake", "check_rules"]

Mistake = tuple[Path, str, str]
"""Where, what is wrong, what to do."""

_SOURCES: Final = ("from", "custom", "join", "constant", "source_tag", "run", "parent")
_UNFITTING: Final = {"number", "integer", "boolean", "date", "datetime"}


def check_rules(
    objects: Mapping[str, ObjectRule], placeholders: Mapping[str, Placeholder], declared: Collection[str]
) -> Iterator[Mistake]:
    """Check the parts of a map against each other.

    Args:
        objects: The objects that could be read.
        placeholders: The placeholders that could be read.
        declared: Names of all objects in the text, also those that couldn't be read.

    Yields:
        Each mistake, with the path it belongs to.
    """
    for name, rule in objects.items():
        yield from _object(name, rule, placeholders, declared)
    for name, placeholder in placeholders.items():
        yield from _placeholder(name, placeholder, objects, declared)


def _object(
    name: str, rule: ObjectRule, placeholders: Mapping[str, Placeholder], declared: Collection[str]
) -> Iterator[Mistake]:
    path: Path = ("objects", name)
    if not name.isidentifier() or not name.isascii():
        yield path, f"`{name}` can't be an object's name", "use letters, digits and _; it begins every reference"
    if rule.resource not in SOURCE_FIELDS:
        known = _near(rule.resource, SOURCE_FIELDS)
        yield (*path, "resource"), f"Visual Practice has no resource `{rule.resource}`", known
    if rule.on_delete == "flag" and rule.deleted_column is None:
        hint = "add `deleted_column:` with a date/time column, e.g. `VP_Deleted_At__c`"
        yield (*path, "on_delete"), "`flag` needs a column to flag", hint
    if rule.on_delete != "flag" and rule.deleted_column is not None:
        hint = "remove it, or use `on_delete: flag`"
        yield (*path, "deleted_column"), f"`deleted_column` means nothing with `on_delete: {rule.on_delete}`", hint
    yield from _names(path, rule)
    for column, spec in rule.columns.items():
        yield from _column((*path, "columns", column), rule, spec, placeholders, declared)


def _names(path: Path, rule: ObjectRule) -> Iterator[Mistake]:
    seen: dict[str, str] = {rule.external_id.casefold(): "external_id"}
    if rule.deleted_column is not None:
        seen[rule.deleted_column.casefold()] = "deleted_column"
    for column in rule.columns:
        place = (*path, "columns", column)
        if not column.replace("_", "").isalnum() or not column.isascii() or not column[0].isalpha():
            yield place, f"`{column}` is no Salesforce column name", "use the API name, e.g. `LastName` or `MRN__c`"
        other = seen.setdefault(column.casefold(), column)
        if other is not column:
            hint = "keep one of the two; Salesforce ignores upper and lower case in names"
            yield place, f"`{column}` is the same column as `{other}`", hint


def _column(
    path: Path,
    rule: ObjectRule,
    column: Column,
    placeholders: Mapping[str, Placeholder],
    declared: Collection[str],
) -> Iterator[Mistake]:
    given = {Column.model_fields[field].alias or field for field in column.model_fields_set}
    sources = [source for source in _SOURCES if source in given and not (source == "from" and "parent" in given)]
    if len(sources) != 1:
        which = f"has {len(sources)}: {', '.join(sources)}" if sources else "has none"
        hint = f"use exactly one of: {', '.join(_SOURCES)}"
        yield path, f"a column needs one source, this one {which}", hint
        return
    for option in sorted(given - OPTIONS[column.kind] - {column.kind}):
        hint = f"remove it; with `{column.kind}` only these count: {', '.join(sorted(OPTIONS[column.kind])) or 'none'}"
        yield (*path, option), f"`{option}` means nothing here", hint
    fields = SOURCE_FIELDS.get(rule.resource)
    for field in column.source_fields:
        if fields is not None and field not in fields:
            place = (*path, "join" if column.join else "from")
            hint = f"{_near(field, fields)}; for a custom field write `custom: {field}`"
            yield place, f"`{rule.resource}` has no field `{field}`", hint
    if column.plus_minutes is not None and fields is not None and column.plus_minutes not in fields:
        place = (*path, "plus_minutes")
        yield place, f"`{rule.resource}` has no field `{column.plus_minutes}`", _near(column.plus_minutes, fields)
    if column.kind == "parent":
        yield from _parent(path, column, placeholders, declared)
    else:
        yield from _value(path, column, given)


def _parent(
    path: Path, column: Column, placeholders: Mapping[str, Placeholder], declared: Collection[str]
) -> Iterator[Mistake]:
    parent = column.parent or ""
    if parent not in declared:
        yield (*path, "parent"), f"reference to unknown object `{parent}`", _near(parent, declared)
    if column.from_ is None:
        yield path, "a reference needs the field with the parent's id", "add `from:`, e.g. `from: practice_id`"
    for option in ("on_absent", "on_none"):
        if getattr(column, option) == "placeholder" and parent in declared and parent not in placeholders:
            hint = f"add it under `placeholders:`, or choose another `{option}`"
            yield (*path, option), f"there is no placeholder for `{parent}`", hint


def _value(path: Path, column: Column, given: Collection[str]) -> Iterator[Mistake]:
    if column.values is not None:
        yield from _value_map(path, column.values, given)
    elif "otherwise" in given:
        yield (*path, "otherwise"), "`otherwise` needs `values`", "add a value map, or remove it"
    elif column.as_ in _UNFITTING:
        for option in sorted({"max", "too_long"} & set(given)):
            yield (*path, option), f"`{option}` means nothing for a {column.as_}", "remove it"
    elif "too_long" in given and column.max is None:
        yield (*path, "too_long"), "`too_long` needs `max`", "add `max:` with the column's length"
    if column.plus_minutes is not None and column.as_ != "datetime":
        hint = "say `as: datetime`, or remove it"
        yield (*path, "plus_minutes"), "only a time can be so many minutes later", hint
    if "on_invalid" in given and column.as_ == "text" and column.values is None:
        yield (*path, "on_invalid"), "`on_invalid` means nothing for text", "remove it, or say `as: email`, `date`, …"
    if column.default is not None:
        yield from _default(path, column, column.default)


def _value_map(path: Path, values: Mapping[str, object], given: Collection[str]) -> Iterator[Mistake]:
    seen: dict[str, str] = {}
    for key in values:
        other = seen.setdefault(" ".join(key.split()).casefold(), key)
        if other is not key:
            hint = "keep one; upper and lower case and blanks don't count"
            yield (*path, "values", key), f"bad value map: `{key}` is the same value as `{other}`", hint
    for option in sorted({"as", "max", "on_invalid", "too_long"} & set(given)):
        hint = "remove it; a value map says itself what comes out"
        yield (*path, option), f"`{option}` means nothing beside `values`", hint


def _default(path: Path, column: Column, default: str) -> Iterator[Mistake]:
    if column.required:
        yield (*path, "required"), "`required` can't fail beside `default`", "keep one of the two"
    if column.as_ not in {"text", "email"}:
        yield (*path, "default"), f"`default` isn't possible for a {column.as_}", "remove it"
    if column.max is not None and len(default) > column.max:
        yield (*path, "default"), "`default` is longer than `max`", "shorten it"


def _placeholder(
    name: str, placeholder: Placeholder, objects: Mapping[str, ObjectRule], declared: Collection[str]
) -> Iterator[Mistake]:
    path: Path = ("placeholders", name)
    if name not in declared:
        yield path, f"placeholder for unknown object `{name}`", _near(name, declared)
    prefix, _, identifier = placeholder.reference.partition(":")
    if prefix != name or not identifier.startswith("~") or len(identifier) < 2:
        hint = f"write it as `{name}:~unassigned`; the ~ keeps it apart from real ids"
        yield (*path, "reference"), "not a placeholder's reference", hint
    rule = objects.get(name)
    if rule is None:
        return
    for column, spec in rule.columns.items():
        if spec.required and column not in placeholder.columns:
            yield (*path, "columns"), f"the placeholder lacks the required column `{column}`", f"add `{column}:`"
    for column in placeholder.columns:
        taken = rule.columns.get(column)
        if column == rule.external_id or (taken is not None and taken.kind in {"source_tag", "run", "parent"}):
            hint = "remove it; Carryover fills it in by itself, or leaves a link empty"
            yield (*path, "columns", column), f"a placeholder can't set `{column}`", hint


def _near(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(names))}"

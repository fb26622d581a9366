"""That the rules of a map make sense together.

Owns the checks that need no org: known fields, known objects, options that mean something, placeholders that exist.
Called while a map is loaded, with whatever parts of it could be read.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from mapping.attachment_checks import attachment
from mapping.image_checks import images, taken_from
from mapping.map_errors import Mistake
from mapping.near import near
from mapping.rules import FILE, OPTIONS, PATH, Column, DefaultBy, ObjectRule, Placeholder, Skip
from mapping.source_fields import SOURCE_FIELDS
from mapping.special_objects import records_of, special_object
from mapping.yaml_lines import Path

__all__ = ["Mistake", "check_rules"]

_SOURCES: Final = ("from", "custom", "join", "constant", "source_tag", "run", "parent", "sum", "latest", "first")
_BESIDE_FROM: Final = frozenset({"parent", "sum", "latest", "first"})
_UNFITTING: Final = {"number", "money", "integer", "boolean", "date", "day", "datetime", "ongoing"}
_SUMMED: Final = {"number", "money", "integer"}
_ROLES: Final = {("Opportunity", "ContactId"): "OpportunityContactRole"}
"""Columns that Salesforce derives from a primary role once the row is there, and the object of the roles."""

_ASKED_BY: Final = {"text", "email"}
"""Forms of columns that rows can be looked for by; a link can be, too."""


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
        yield from _object(name, rule, objects, placeholders, declared)
    for name, placeholder in placeholders.items():
        yield from _placeholder(name, placeholder, objects, declared)


def _object(
    name: str,
    rule: ObjectRule,
    objects: Mapping[str, ObjectRule],
    placeholders: Mapping[str, Placeholder],
    declared: Collection[str],
) -> Iterator[Mistake]:
    path: Path = ("objects", name)
    if not name.isidentifier() or not name.isascii():
        yield path, f"`{name}` can't be an object's name", "use letters, digits and _; it begins every reference"
    if rule.resource not in SOURCE_FIELDS:
        known = near(rule.resource, SOURCE_FIELDS)
        yield (*path, "resource"), f"Visual Practice has no resource `{rule.resource}`", known
    yield from records_of(path, rule, objects, declared)
    yield from taken_from(name, rule, objects, declared)
    if rule.kind != "row":
        yield from special_object(name, rule, objects, declared)
    else:
        yield from _row(path, rule)
        if rule.attaches:
            yield from attachment(path, rule, objects)
    for number, skip in enumerate(rule.skip, 1):
        yield from _skip((*path, "skip"), rule, skip, number)
    if rule.on_delete == "flag" and rule.deleted_column is None:
        hint = "add `deleted_column:` with a date/time column, e.g. `VP_Deleted_At__c`"
        yield (*path, "on_delete"), "`flag` needs a column to flag", hint
    if rule.on_delete == "keep" and rule.deleted_column is not None:
        hint = "remove it, or use `on_delete: flag` or `delete`"
        yield (*path, "deleted_column"), f"`deleted_column` means nothing with `on_delete: {rule.on_delete}`", hint
    yield from _names(path, rule)
    yield from _match(path, rule)
    for column, spec in rule.columns.items():
        place = (*path, "columns", column)
        yield from _column(place, rule, spec, objects, placeholders, declared)
        yield from images(place, rule, spec, objects, declared)
        if spec.counted is not None:
            yield from _counted(place, name, spec, objects, declared)
        elif spec.kind == "parent" and spec.primary_role is not None:
            yield from _primary_role(place, rule, spec.primary_role)
        if spec.parent is not None and (of := objects.get(spec.parent)) is not None and of.part_of is not None:
            yield (*place, "parent"), f"`{spec.parent}` has no rows to refer to", f"refer to `{of.part_of.object}`"


def _row(path: Path, rule: ObjectRule) -> Iterator[Mistake]:
    """What an object with rows of its own needs."""
    given = rule.model_fields_set
    name = path[-1]
    if "external_id" not in given:
        hint = "add `external_id: VP_Id__c`, the column that holds the Visual Practice id"
        yield path, f"`external_id` is missing in `objects.{name}`", hint
    if "on_delete" not in given:
        hint = "say what a delete does: `on_delete: delete`, `flag` or `keep`"
        yield path, f"`on_delete` is missing in `objects.{name}`", hint
    if "columns" not in given:
        yield path, f"`columns` is missing in `objects.{name}`", "add `columns:` with at least one column"
    yield from _content(path, rule)
    if rule.target == "User":
        hint = "say `decide:` with the field of the e-mail; Carryover never writes users"
        yield (*path, "target"), "users are not written", hint


def _content(path: Path, rule: ObjectRule) -> Iterator[Mistake]:
    """What goes along with a content, and only with one."""
    if not rule.has_content:
        if rule.max_bytes is not None:
            yield (*path, "max_bytes"), f"rows of {rule.target} have no content", f"remove it, or use `target: {FILE}`"
        return
    if rule.attaches:
        if rule.resource != "documents":
            yield (*path, "target"), f"`{rule.resource}` are no Attachments", "use `resource: documents`"
        return
    if rule.resource not in {"documents", "note-images"}:
        yield (*path, "target"), f"`{rule.resource}` have no content", "use `resource: documents`"
    if PATH not in rule.columns and rule.columns:
        hint = f"add `{PATH}: {{from: filename, max: 500, required: true}}`"
        yield (*path, "columns"), f"a file needs {PATH}, its name", hint
    if rule.match is not None:
        yield (*path, "match"), "files are not recognised by their columns", "remove it"


def _skip(path: Path, rule: ObjectRule, skip: Skip, number: int) -> Iterator[Mistake]:
    fields = SOURCE_FIELDS.get(rule.resource)
    for field in (skip.without, skip.where):
        if field is not None and fields is not None and field not in fields:
            yield path, f"rule {number}: `{rule.resource}` has no field `{field}`", near(field, fields)
    if (skip.without is None) == (skip.where is None):
        yield path, f"rule {number} needs `without` or `where`", "write `{without: field, because: why}`"
    if (skip.where is None) != (skip.is_ is None):
        yield path, f"rule {number}: `where` and `is` go together", "write `{where: field, is: [A, B], because: why}`"


def _counted(
    path: Path, name: str, column: Column, objects: Mapping[str, ObjectRule], declared: Collection[str]
) -> Iterator[Mistake]:
    """A column that is made of the records that count in the row."""
    kind = column.kind
    part, field = column.counted or ("", "")
    place = (*path, kind)
    rule = objects.get(part)
    if part not in declared:
        yield place, f"reference to unknown object `{part}`", near(part, declared)
    elif rule is not None and (rule.part_of is None or rule.part_of.object != name):
        yield place, f"`{part}` doesn't count in `{name}`", f"say `part_of: {{object: {name}, from: …}}` in `{part}`"
    elif rule is not None and field not in rule.columns:
        yield place, f"`{part}` has no column `{field}`", near(field, rule.columns)
    elif rule is not None:
        form = rule.columns[field].as_
        if form != column.as_:
            yield place, f"`{part}.{field}` is a {form}, the column a {column.as_}", f"say `as: {form}`"
        if kind == "sum" and form not in _SUMMED:
            yield place, f"a {form} can't be summed", "sum a number, or use `latest`"
        if kind == "first" and rule.part_of is not None and not rule.part_of.order:
            hint = f"add `order:` to `part_of` in `{part}`, e.g. `order: [priority]`"
            yield place, f"nothing says which `{part}` comes first", hint


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


def _match(path: Path, rule: ObjectRule) -> Iterator[Mistake]:
    if rule.match is None:
        if "on_ambiguous" in rule.model_fields_set:
            yield (*path, "on_ambiguous"), "`on_ambiguous` needs `match`", "add `match:`, or remove it"
        if rule.among is not None:
            yield (*path, "among"), "`among` needs `match`", "add `match:`, or remove it"
        return
    place = (*path, "match")
    specs = [rule.columns[column] for column in rule.match if column in rule.columns]
    for column in rule.match:
        if column not in rule.columns:
            yield place, f"`match` names `{column}`, which is no column of this object", near(column, rule.columns)
        elif rule.columns[column].kind in {"constant", "source_tag", "run"}:
            yield place, f"`{column}` says nothing about the record, so nothing can match by it", "leave it out"
    if len(set(rule.match)) < len(rule.match):
        yield place, "`match` names a column twice", "name each column once"
    if len(specs) == len(rule.match) and not any(
        spec.kind == "parent" or (spec.kind != "join" and spec.as_ in _ASKED_BY) for spec in specs
    ):
        hint = "add a column that is a text or a link to a parent, e.g. `Email` or `AccountId`"
        yield place, "`match` needs a column that rows can be looked for by", hint
    yield from _among(path, rule)


def _among(path: Path, rule: ObjectRule) -> Iterator[Mistake]:
    for column, value in (rule.among or {}).items():
        if not column.replace("_", "").isalnum() or not column.isascii() or not column[0].isalpha():
            yield (*path, "among"), f"`{column}` is no Salesforce column name", "use the API name, e.g. `MRN__c`"
        spec = rule.columns.get(column)
        if spec is not None and spec.kind == "constant" and spec.constant != value:
            hint = f"say `{column}: {_yaml(spec.constant)}`, or match by other columns"
            yield (*path, "among"), f"a row of this object never has this value in `{column}`", hint


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _column(
    path: Path,
    rule: ObjectRule,
    column: Column,
    objects: Mapping[str, ObjectRule],
    placeholders: Mapping[str, Placeholder],
    declared: Collection[str],
) -> Iterator[Mistake]:
    given = {Column.model_fields[field].alias or field for field in column.model_fields_set}
    besides = _BESIDE_FROM & given
    fallbacks = {"from"} if besides and not ("first" in given and "custom" in given) else set()
    fallbacks |= {"custom"} if "first" in given and "from" not in given else set()
    sources = [source for source in _SOURCES if source in given and source not in fallbacks]
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
            hint = f"{near(field, fields)}; for a custom field write `custom: {field}`"
            yield place, f"`{rule.resource}` has no field `{field}`", hint
    yield from _options(path, rule, column)
    if column.kind == "parent":
        yield from _parent(path, column, objects, placeholders, declared)
    else:
        yield from _value(path, column, given)


def _options(path: Path, rule: ObjectRule, column: Column) -> Iterator[Mistake]:
    """Options that name further fields."""
    fields = SOURCE_FIELDS.get(rule.resource)
    if column.plus_minutes is not None and fields is not None and column.plus_minutes not in fields:
        place = (*path, "plus_minutes")
        yield place, f"`{rule.resource}` has no field `{column.plus_minutes}`", near(column.plus_minutes, fields)
    yield from _default_by_options(path, rule, column, fields)
    yield from _ongoing(path, rule, column, fields)
    for field in (column.each,) if isinstance(column.each, str) else column.each or ():
        if not field.isidentifier():
            yield (*path, "each"), f"`{field}` can't be a field's name", "name fields of the list's entries"
    if column.else_from is not None:
        if fields is not None and column.else_from not in fields:
            yield (
                (*path, "else_from"),
                f"`{rule.resource}` has no field `{column.else_from}`",
                near(column.else_from, fields),
            )
        if column.plus_minutes is None:
            yield (*path, "else_from"), "`else_from` needs `plus_minutes`", "it stands for an end without a duration"
    if "whole" in column.model_fields_set and column.as_ != "money":
        yield (*path, "whole"), "`whole` is about amounts of money", "say `as: money`, or remove it"
    if column.kind in {"sum", "latest"} and column.from_ is None:
        yield (
            path,
            "a column that counts others needs a field for when there are none",
            "add `from:`, e.g. `from: total_amount`",
        )


def _default_by_options(
    path: Path, rule: ObjectRule, column: Column, fields: Collection[str] | None
) -> Iterator[Mistake]:
    if column.default_by is not None and rule.part_of is not None:
        yield (*path, "default_by"), "`default_by` means nothing for what counts in another row", "say `default`"
    if column.default_by is not None and fields is not None and (named := column.default_by.from_) not in fields:
        yield (*path, "default_by"), f"`{rule.resource}` has no field `{named}`", near(named, fields)


def _ongoing(path: Path, rule: ObjectRule, column: Column, fields: Collection[str] | None) -> Iterator[Mistake]:
    if column.seen is not None and fields is not None and column.seen not in fields:
        yield (*path, "seen"), f"`{rule.resource}` has no field `{column.seen}`", near(column.seen, fields)
    if (column.seen is None) != (column.as_ != "ongoing"):
        hint = "write `{from: ends_on, as: ongoing, seen: updated_at}`"
        yield path, "`as: ongoing` and `seen` go together", hint
    elif column.seen is not None and (rule.kind != "row" or column.answer is not None):
        yield (*path, "seen"), "`as: ongoing` is for fields of records with rows of their own", "use `as: date`"


def _parent(
    path: Path,
    column: Column,
    objects: Mapping[str, ObjectRule],
    placeholders: Mapping[str, Placeholder],
    declared: Collection[str],
) -> Iterator[Mistake]:
    parent = column.parent or ""
    of = objects.get(parent)
    stands_in = parent if of is None or of.same_as is None else of.same_as.parent
    if parent not in declared:
        yield (*path, "parent"), f"reference to unknown object `{parent}`", near(parent, declared)
    if column.from_ is None:
        yield path, "a reference needs the field with the parent's id", "add `from:`, e.g. `from: practice_id`"
    for option in ("on_absent", "on_none"):
        given = {parent, stands_in} & placeholders.keys()
        if getattr(column, option) == "placeholder" and parent in declared and not given:
            hint = f"add it under `placeholders:`, or choose another `{option}`"
            yield (*path, option), f"there is no placeholder for `{parent}`", hint


def _primary_role(path: Path, rule: ObjectRule, named: str) -> Iterator[Mistake]:
    role = _ROLES.get((rule.target, path[-1]))
    place = (*path, "primary_role")
    if role is None:
        columns = ", ".join(f"`{column}` of `{target}`" for target, column in _ROLES)
        yield place, f"no role carries `{path[-1]}` of `{rule.target}`", f"remove it; Salesforce has this for {columns}"
    elif named != role:
        yield place, f"`{named}` does not carry `{path[-1]}`", f"write `primary_role: {role}`"


def _value(path: Path, column: Column, given: Collection[str]) -> Iterator[Mistake]:
    if column.each is not None and (column.as_ != "text" or column.values is not None):
        yield (*path, "each"), "a list becomes a text", "remove `as` and `values`"
    if column.each is not None and column.answer is not None:
        yield (*path, "answer"), "`each` and `answer` exclude each other", "keep one of the two"
    if column.answer is not None and column.plus_minutes is not None:
        yield (*path, "answer"), "`answer` means nothing beside `plus_minutes`", "remove one of the two"
    if "with" in given and column.each is None and column.answer is None and column.join is None:
        yield (
            (*path, "with"),
            "`with` means nothing here",
            "it stands between the entries of `join`, `each` or `answer`",
        )
    if column.values is not None:
        yield from _value_map(
            path, column.values, set(given) - ({"on_invalid"} if column.answer is not None else set())
        )
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
    of_json = column.each is not None or column.answer is not None
    if "on_invalid" in given and column.as_ in {"text", "html"} and column.values is None and not of_json:
        yield (*path, "on_invalid"), "`on_invalid` means nothing for text", "remove it, or say `as: email`, `date`, …"
    yield from _defaults(path, column)


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


def _defaults(path: Path, column: Column) -> Iterator[Mistake]:
    if column.default is not None:
        yield from _default(path, column, column.default)
    if column.default_by is not None:
        yield from _default_by(path, column, column.default_by)


def _default(path: Path, column: Column, default: str) -> Iterator[Mistake]:
    if column.required:
        yield (*path, "required"), "`required` can't fail beside `default`", "keep one of the two"
    if column.as_ not in {"text", "html", "email"}:
        yield (*path, "default"), f"`default` isn't possible for a {column.as_}", "remove it"
    if column.max is not None and len(default) > column.max:
        yield (*path, "default"), "`default` is longer than `max`", "shorten it"


def _default_by(path: Path, column: Column, by: DefaultBy) -> Iterator[Mistake]:
    place = (*path, "default_by")
    if column.required:
        yield (*path, "required"), "`required` can't fail beside `default_by`", "keep one of the two"
    if column.as_ not in {"text", "html"} or column.values is not None or column.each is not None or column.answer:
        yield place, "`default_by` is for texts only", "remove it, or say `default`"
    seen: dict[str, str] = {}
    for key, text in by.values.items():
        other = seen.setdefault(" ".join(key.split()).casefold(), key)
        if other is not key:
            yield (
                place,
                f"`{key}` is the same value as `{other}`",
                "keep one; upper and lower case and blanks don't count",
            )
        if column.max is not None and len(text) > column.max:
            yield place, f"the text for `{key}` is longer than `max`", "shorten it"


def _placeholder(
    name: str, placeholder: Placeholder, objects: Mapping[str, ObjectRule], declared: Collection[str]
) -> Iterator[Mistake]:
    path: Path = ("placeholders", name)
    if name not in declared:
        yield path, f"placeholder for unknown object `{name}`", near(name, declared)
    prefix, _, identifier = placeholder.reference.partition(":")
    if prefix != name or not identifier.startswith("~") or len(identifier) < 2:
        hint = f"write it as `{name}:~unassigned`; the ~ keeps it apart from real ids"
        yield (*path, "reference"), "not a placeholder's reference", hint
    rule = objects.get(name)
    if rule is None:
        return
    if rule.kind == "row" and not placeholder.columns:
        yield path, "a placeholder needs columns", "add `columns:` with at least one column"
    for column, spec in rule.columns.items():
        if spec.required and column not in placeholder.columns:
            yield (*path, "columns"), f"the placeholder lacks the required column `{column}`", f"add `{column}:`"
    for column in placeholder.columns:
        taken = rule.columns.get(column)
        if column == rule.external_id or (taken is not None and taken.kind in {"source_tag", "run", "parent"}):
            hint = "remove it; Carryover fills it in by itself, or leaves a link empty"
            yield (*path, "columns", column), f"a placeholder can't set `{column}`", hint

"""Reading a map document, with every mistake in it at once.

Owns the way from YAML text to a checked `MapDocument`. Each part is validated by itself, so that a mistake in one
column hides none in another.
"""

import difflib
from functools import cache
from importlib import resources
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from mapping.map_errors import MapError, MapErrors
from mapping.rule_checks import check_rules
from mapping.rules import Column, Form, MapDocument, ObjectRule, Placeholder
from mapping.yaml_lines import Lines, Path, read_yaml

__all__ = ["MapDocument", "MapError", "MapErrors", "default_map", "default_map_text", "load_map"]

_Model = TypeVar("_Model", bound=BaseModel)

_SPECIAL: Final = ("decide", "same_as", "part_of", "taken_from")
"""What makes an object one without rows of its own; nothing can stand in for it."""

_UNFIT: Final = {
    "as_of": ("`as_of` is no day", "write a day, e.g. `2026-11-30`"),
    "time_zone": ("unknown time zone", "use a name of the IANA list, e.g. `America/New_York`"),
}
_HINTS: Final = {
    "because": "add `because:`, the reason that the report gives",
    "resource": "add `resource:` with the Visual Practice resource, e.g. `patients`",
    "target": "add `target:` with the Salesforce object, e.g. `Contact`",
    "objects": "add `objects:` with at least one object",
    "map": "begin the file with `map: 1`",
    "source_tag": "add `source_tag: Visual Practice`, the text that marks every row written",
    "reference": "add `reference:`, e.g. `practice:~unassigned`",
}


def load_map(text: str, name: str) -> MapDocument:
    """Read and check a map.

    Args:
        text: The YAML.
        name: What to call it in errors, usually the file's path.

    Returns:
        The document; its parts are known to fit together. That it fits an org is `check.check_map`.

    Raises:
        MapErrors: With every mistake found, each with its line.
    """
    data, lines, errors = read_yaml(text)
    if data is None and not errors:
        errors.append(MapError(1, "", "the map is empty", "start from the default map: `carryover init` writes one"))
    if errors and data is None:
        raise MapErrors(name, errors)
    reader = _Reader(lines, errors)
    document = reader.document(data)
    if errors or document is None:
        raise MapErrors(name, errors)
    return document


def default_map_text() -> str:
    """The default map as YAML, comments included."""
    return resources.files("mapping").joinpath("default.yaml").read_text(encoding="utf-8")


@cache
def default_map() -> MapDocument:
    """The map that is used when the operator has none of their own."""
    return load_map(default_map_text(), "mapping/default.yaml")


class _Reader:
    """Builds the document piece by piece, collecting mistakes."""

    def __init__(self, lines: Lines, errors: list[MapError]) -> None:
        self._lines = lines
        self._errors = errors

    def document(self, data: Any) -> MapDocument | None:
        if not isinstance(data, dict):
            self._add((), "a map must be keys and values", "begin the file with `map: 1`")
            return None
        objects: dict[str, ObjectRule] = {}
        for name, rule in self._entries(data, "objects").items():
            read = self._object(("objects", name), rule)
            if read is not None:
                objects[name] = read
        placeholders: dict[str, Placeholder] = {}
        for name, stand_in in self._entries(data, "placeholders").items():
            found = self._model(Placeholder, ("placeholders", name), stand_in)
            if found is not None:
                placeholders[name] = found
        head = {key: value for key, value in data.items() if key not in {"objects", "placeholders"}}
        if "objects" in data:
            head["objects"] = {"x": _STAND_IN}  # its own mistakes are reported above
            if data["objects"] == {}:
                head["objects"] = {}
        draft = self._model(MapDocument, (), head)
        declared = set(self._entries(data, "objects"))
        for path, message, hint in check_rules(objects, placeholders, declared):
            self._add(path, message, hint)
        if draft is None or self._errors:
            return None
        return draft.model_copy(update={"objects": objects, "placeholders": placeholders})

    def _entries(self, data: dict[str, Any], key: str) -> dict[str, Any]:
        found = data.get(key, {})
        if isinstance(found, dict):
            return found
        if not any(error.path == key for error in self._errors):
            self._add((key,), f"`{key}` must be keys and values", "indent the entries below it")
        return {}

    def _object(self, path: Path, data: Any) -> ObjectRule | None:
        if not isinstance(data, dict):
            self._add(path, f"`{path[-1]}` must be keys and values", "indent its options below it")
            return None
        columns: dict[str, Column] = {}
        given = data.get("columns")
        if isinstance(given, dict):
            for name, rule in given.items():
                column = self._model(Column, (*path, "columns", name), rule)
                if column is not None:
                    columns[name] = column
            if not given:
                self._add((*path, "columns"), "`columns` is empty", "add at least one column")
        before = len(self._errors)
        head = {**data, "columns": {"X": _COLUMN}} if given and isinstance(given, dict) else data
        draft = self._model(ObjectRule, path, head)
        if draft is None and any(key in data for key in _SPECIAL):
            return None
        if draft is None:  # stand in for what is wrong, so that the columns are checked all the same
            wrong = {error.path.rpartition(".")[2] for error in self._errors[before:]}
            kept = {key: head[key] for key in head if key in ObjectRule.model_fields and key not in {*wrong, "skip"}}
            draft = _STAND_IN.model_copy(update=kept)
        return draft.model_copy(update={"columns": columns}) if isinstance(given, dict) else draft

    def _model(self, model: type[_Model], path: Path, data: Any) -> _Model | None:
        try:
            return model.model_validate(data)
        except ValidationError as found:
            seen: set[Path] = set()
            for error in found.errors(include_url=False, include_input=False):
                place = (*path, *(str(part) for part in error["loc"]))
                if error["type"] == "missing":
                    self._add(path, *_worded(model, "missing", place, {}))
                    continue
                spot = self._lines.known(place)
                if spot not in seen:  # one mistake can break several branches of a union
                    seen.add(spot)
                    self._add(spot, *_worded(model, error["type"], spot, error.get("ctx", {})))
            return None

    def _add(self, path: Path, message: str, hint: str) -> None:
        self._errors.append(MapError(self._lines.of(path), ".".join(self._lines.known(path)), message, hint))


def _worded(model: type[BaseModel], kind: str, place: Path, context: dict[str, Any]) -> tuple[str, str]:
    """Say one of pydantic's errors in the operator's words: (message, hint)."""
    key = place[-1] if place else "map"
    if "values" in place:
        return (
            "bad value map",
            "each line is `SOURCE VALUE: Salesforce value`; the right side is text, true, false or ~",
        )
    match kind:
        case "missing":
            return f"`{key}` is missing in `{'.'.join(place[:-1]) or 'the map'}`", _HINTS.get(key, f"add `{key}:`")
        case "extra_forbidden":
            names = [field.alias or name for name, field in model.model_fields.items()]
            return f"unknown key `{key}`", _closest(key, names)
        case "literal_error" if key == "as":
            return "unknown transform", f"`as` is one of: {', '.join(get_args(Form))}"
        case "literal_error":
            return f"`{key}` has a value it can't have", f"it is one of: {context.get('expected', '')}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"`{key}` must be keys and values", "write it as `{from: some_field}` or indent its options below it"
        case "string_type":
            return f"`{key}` must be text", "put the value in quotes"
        case "string_pattern_mismatch":
            return f"`{key}` is no Salesforce name", "use the API name, e.g. `Contact` or `VP_Id__c`"
        case "too_short" | "string_too_short":
            return (
                f"`{key}` is empty or too short",
                "`join` takes two or more fields" if key == "join" else "fill it in",
            )
        case "int_type" | "greater_than_equal" | "less_than_equal":
            hint = "`max` is 1 to 131072 characters, `max_bytes` 1 to 2147483648"
            return f"`{key}` must be a whole number in range", hint
        case "value_error" if key in _UNFIT:
            return _UNFIT[key]
        case "bool_type":
            return f"`{key}` must be true or false", "write `true` or `false`, without quotes"
    return f"`{key}` can't be read", f"remove it, or see the default map for its form ({kind})"


def _closest(key: str, names: list[str]) -> str:
    near = difflib.get_close_matches(key, names, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(names)}"


_COLUMN: Final = Column(constant="x")
_STAND_IN: Final = ObjectRule(resource="x", target="X", external_id="X", on_delete="keep", columns={"X": _COLUMN})

"""The intake forms of a practice as a reference for rebuilding them in Salesforce: their questions, and where each answer goes. Never an answer.

Owns what is told and how it is written down. Source: `/v1/schema` of Visual Practice (`docs/sandbox.md`), which describes the forms that are in use;
questions that only older submissions have are not in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from mapping.rules import MapDocument

RESOURCE: Final = "intake-forms"
JSON_FILE: Final = "forms.json"
MARKDOWN_FILE: Final = "forms.md"

_FIELD_TYPES: Final = {
    "text": "Text(255)",
    "paragraph": "Long Text Area",
    "radiobuttons": "Picklist",
    "checkboxes": "Multi-Select Picklist",
    "choice": "Picklist",
    "date": "Date",
    "datetime": "Date/Time",
    "number": "Number",
    "email": "Email",
    "phone": "Phone",
    "signature": "File, or a Checkbox beside it",
}
_VALIDATION: Final = ("min", "max", "min_length", "max_length", "pattern", "format")
"""What may limit an answer besides its type, its options and whether it is required; other keys of a question are not told: they might hold an answer."""


class Question(NamedTuple):
    """One question of a form, or one custom field.

    Attributes:
        section: Of the form; "" for a custom field.
        name, type: As the practice has them.
        required: Whether it must be answered.
        options: To choose from; none for a free answer.
        validation: Further limits, by name.
        columns: Salesforce columns that the map writes from it, e.g. `Contact.Allergy_Flag__c`; none: its answers stay behind.
        field_type: What a field for it could be in Salesforce.
    """

    section: str
    name: str
    type: str
    required: bool
    options: tuple[str, ...]
    validation: dict[str, Any]
    columns: tuple[str, ...]
    field_type: str


class Form(NamedTuple):
    """A form, or the custom fields of a resource (`id` is then the resource)."""

    id: str
    name: str
    questions: tuple[Question, ...]


def forms_of(schema: Mapping[str, Any], document: MapDocument) -> list[Form]:
    """The forms that a practice describes, in its order, and after them the custom fields of its resources.

    Args:
        schema: The answer of `/v1/schema`; one that describes no forms gives none.
        document: The map, for where answers go.
    """
    answers, custom = _answers(document), _custom(document)
    found = [
        Form(str(form.get("id", "")), str(form.get("name", "")), tuple(_questions(form, answers)))
        for form in _objects(schema.get("forms"))
    ]
    resources = schema.get("resources")
    for name, resource in resources.items() if isinstance(resources, dict) else ():
        fields = _objects(resource.get("custom_fields")) if isinstance(resource, dict) else []
        if fields:
            told = tuple(_question("", one, custom[name, str(one.get("token", ""))]) for one in fields)
            found.append(Form(str(name), f"Custom fields of {name}", told))
    return found


def as_json(forms: Sequence[Form]) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "forms": [
            {**form._asdict(), "questions": [question._asdict() for question in form.questions]} for form in forms
        ]
    }


def as_markdown(forms: Sequence[Form]) -> str:
    """The same to read: a table for each form."""
    lines = [
        "# Forms of the practice",
        "",
        "What has to be built in Salesforce if the forms are to go on there. Written by `carryover forms export` from the practice's own",
        "description; it holds no answers.",
    ]
    for form in forms:
        lines += ["", f"## {_cell(form.name)}", ""]
        lines.append("| section | question | type | required | options | validation | field in Salesforce | moved to |")
        lines.append("|---|---|---|---|---|---|---|---|")
        for one in form.questions:
            limits = ", ".join(f"{name} {value}" for name, value in one.validation.items())
            cells = (
                *(one.section, one.name, one.type, "yes" if one.required else "no", "; ".join(one.options), limits),
                *(one.field_type, ", ".join(one.columns) or "nothing: say so in the map"),
            )
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
    if not forms:
        lines += ["", "The practice describes no forms."]
    return "\n".join(lines) + "\n"


def _questions(form: Mapping[str, Any], answers: Mapping[str, tuple[str, ...]]) -> list[Question]:
    return [
        _question(str(section.get("name", "")), one, answers.get(_plain(str(one.get("name", ""))), ()))
        for section in _objects(form.get("sections"))
        for one in _objects(section.get("questions"))
    ]


def _question(section: str, told: Mapping[str, Any], columns: tuple[str, ...]) -> Question:
    kind = str(told.get("type", ""))
    options = told.get("options")
    return Question(
        section,
        str(told.get("name", "")),
        kind,
        told.get("required") is True,
        tuple(map(str, options)) if isinstance(options, list) else (),
        {name: told[name] for name in _VALIDATION if told.get(name) is not None},
        columns,
        _FIELD_TYPES.get(kind, "Text(255)"),
    )


def _answers(document: MapDocument) -> dict[str, tuple[str, ...]]:
    """Question -> the columns that its answers go to."""
    found: dict[str, tuple[str, ...]] = {}
    for object_, rule in document.objects.items():
        for name, column in rule.columns.items():
            if rule.resource != RESOURCE or column.answer is None:
                continue
            for question in (column.answer,) if isinstance(column.answer, str) else column.answer:
                known = found.get(_plain(question), ())
                found[_plain(question)] = (*known, *_written(document, object_, name))
    return found


def _written(document: MapDocument, object_: str, field: str) -> tuple[str, ...]:
    """Where a field of an object ends: in its own row's column, or in those of the row that it counts in."""
    rule = document.objects[object_]
    if rule.part_of is None:
        return (f"{rule.target}.{field}",)
    columns = document.objects[rule.part_of.object].columns.items()
    return tuple(f"{rule.target}.{name}" for name, column in columns if column.counted == (object_, field))


def _custom(document: MapDocument) -> dict[tuple[str, str], tuple[str, ...]]:
    """Resource and custom field -> the columns that it goes to."""
    found: dict[tuple[str, str], tuple[str, ...]] = defaultdict(tuple)
    for object_, rule in document.objects.items():
        for name, column in rule.columns.items():
            if column.custom is not None:
                key = (rule.resource, column.custom)
                found[key] = (*found[key], *_written(document, object_, name))
    return found


def _objects(given: Any) -> list[Mapping[str, Any]]:
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())

"""What there is to read: resources with their fields, custom fields, forms, and the practice's zone.

Owns `/v1/schema`. A client's audit of a source begins here. Called by the application.
"""

from typing import Any

from aiohttp import web

from sandbox.disturbance import json_answer
from sandbox.visual_practice import names, reading
from sandbox.visual_practice import vocabulary as words
from sandbox.visual_practice.schema import PATIENT, RESOURCES, Field, Record, Resource
from sandbox.visual_practice.serving import KEY, Practice, named, practice

TYPES = {"id": "string", "reference": "string", "long": "text", "instant": "datetime", "one": "choice"}
CUSTOM_FIELDS = (
    {"token": "referral_source", "name": "Referral source", "type": "choice", "options": list(names.REFERRALS)},
)


def add_routes(app: web.Application) -> None:
    """Adds the descriptions to the application."""
    app.router.add_get("/v1/schema", _everything)
    app.router.add_get(f"{reading.PATH}/schema", _one)


def _field(field: Field) -> Record:
    told: Record = {
        "name": field.name,
        "label": field.label,
        "type": TYPES.get(field.kind, field.kind),
        "required": field.required,
    }
    if field.reference:
        told["references"] = field.reference
    if field.choices:
        told["options"] = list(field.choices)
    return told


def _resource(served: Practice, resource: Resource) -> Record:
    fields: list[Record] = []
    for column in resource.columns:
        if column.wide and not served.storage.wide:
            continue
        told = _field(column)
        for drift in served.view.drifts:
            if drift.resource in {resource.name, ""} and drift.field == column.name:
                told |= {"name": drift.to or column.name, "type": drift.type or told["type"], "removed": drift.remove}
        if not told.pop("removed", False):
            fields.append(told)
    return {
        "path": f"/v1/{resource.plural}",
        "fields": fields,
        "custom_fields": list(CUSTOM_FIELDS) if resource is PATIENT else [],
    }


async def _everything(request: web.Request) -> web.Response:
    served, key = practice(request), request[KEY]
    told: dict[str, Any] = {
        "time_zone": served.zone.name,
        "times": served.view.profile.times,
        "resources": {
            resource.plural: _resource(served, resource)
            for resource in RESOURCES
            if served.keys.may(key, "read", resource.plural)
        },
        "forms": list(words.FORMS),
    }
    return json_answer(told)


async def _one(request: web.Request) -> web.Response:
    served, resource = practice(request), named(request)
    return json_answer({"time_zone": served.zone.name, **_resource(served, resource)})

"""The operations of the Metadata API's SOAP interface.

Owns what each call needs and answers, as plain values; `soap` writes them down. `retrieve` is not there. Called by the
route, which has looked at the session.
"""

import base64
import binascii
import sqlite3
from typing import Any

from sandbox import clock
from sandbox.salesforce.metadata import xml
from sandbox.salesforce.metadata.changes import VALUE_SETS, Changes, RefusedError, custom_fields
from sandbox.salesforce.metadata.components import FIELD, OBJECT, PERMISSION_SET, VALUES, Component
from sandbox.salesforce.metadata.deployer import Deployer
from sandbox.salesforce.metadata.deployments import Deployment, UnknownDeployError
from sandbox.salesforce.metadata.soap import Call, SoapFault
from sandbox.salesforce.org import Org

MOST_CRUD = 10
DESCRIBED = (
    {
        "childXmlNames": FIELD,
        "directoryName": "objects",
        "inFolder": False,
        "metaFile": False,
        "suffix": "object",
        "xmlName": OBJECT,
    },
    {
        "directoryName": "permissionsets",
        "inFolder": False,
        "metaFile": False,
        "suffix": "permissionset",
        "xmlName": PERMISSION_SET,
    },
    {
        "directoryName": "standardValueSets",
        "inFolder": False,
        "metaFile": False,
        "suffix": "standardValueSet",
        "xmlName": VALUES,
    },
)
FOLDERS = {
    OBJECT: "objects/{}.object",
    FIELD: "objects/{}.object",
    VALUES: "standardValueSets/{}.standardValueSet",
    PERMISSION_SET: "permissionsets/{}.permissionset",
}


class Calls:
    """The calls of one user."""

    def __init__(self, org: Org, deployer: Deployer, user: str, name: str) -> None:
        self._org, self._deployer, self._user, self._name = org, deployer, user, name

    async def answer(self, call: Call) -> Any:
        """What the call answers; raises SoapFault."""
        known = {
            "deploy": self._deploy,
            "checkDeployStatus": self._status,
            "cancelDeploy": self._cancel,
            "deployRecentValidation": self._again,
            "describeMetadata": self._describe,
            "listMetadata": self._list,
            "createMetadata": self._save,
            "updateMetadata": self._save,
            "upsertMetadata": self._save,
            "deleteMetadata": self._delete,
        }
        handler = known.get(call.operation)
        if handler is None:
            raise SoapFault(
                "UNKNOWN_EXCEPTION", f"UNKNOWN_EXCEPTION: No operation available for request {call.operation}"
            )
        return await handler(call)

    # -- deploys ------------------------------------------------------------------------------------------------

    async def _deploy(self, call: Call) -> Any:
        given = {key.lower(): value for key, value in call.arguments.items()}  # clients differ in the case of ZipFile
        try:
            archive = base64.b64decode(str(given.get("zipfile") or ""), validate=False)
        except binascii.Error as error:
            raise SoapFault("INVALID_VALUE", f"INVALID_VALUE: zipFile: {error}") from error
        options = given.get("deployoptions")
        options = {key: _plain(value) for key, value in options.items()} if isinstance(options, dict) else {}
        return _begun(await self._deployer.begin(self._user, archive, options))

    async def _status(self, call: Call) -> Any:
        found = await self._found(str(call.arguments.get("asyncProcessId", "")))
        return found.result(self._name, details=call.arguments.get("includeDetails") == "true")

    async def _cancel(self, call: Call) -> Any:
        found = await self._found(_identity(call))
        done = await self._org.database.write(self._deployer.deployments.cancel, found.id)
        return {"done": done.status == "Canceled", "id": done.id}

    async def _again(self, call: Call) -> Any:
        try:
            return (await self._deployer.again(self._user, _identity(call))).id
        except UnknownDeployError as error:
            raise SoapFault("INVALID_ID_FIELD", f"INVALID_ID_FIELD: invalid validation id: {error}") from error

    async def _found(self, identity: str) -> Deployment:
        try:
            return await self._org.database.read(self._deployer.deployments.get, identity)
        except UnknownDeployError as error:
            raise SoapFault(
                "INVALID_CROSS_REFERENCE_KEY", "INVALID_CROSS_REFERENCE_KEY: invalid cross reference id"
            ) from error

    # -- what there is ------------------------------------------------------------------------------------------

    async def _describe(self, call: Call) -> Any:
        del call
        return {
            "metadataObjects": [dict(each) for each in DESCRIBED],
            "organizationNamespace": "",
            "partialSaveAllowed": True,
            "testRequired": False,
        }

    async def _list(self, call: Call) -> Any:
        kinds = [
            str(each.get("type", "")) for each in xml.many(call.arguments.get("queries")) if isinstance(each, dict)
        ]
        return await self._org.database.read(lambda: [each for kind in kinds for each in self._listed(kind)])

    def _listed(self, kind: str) -> list[dict[str, Any]]:
        reader, at = self._org.database.reader(), clock.salesforce_text(clock.now())
        found: list[tuple[str, str]] = []
        if kind == OBJECT:
            found = [(each.name, each.prefix) for each in self._org.schema]
        elif kind == FIELD:
            listed = custom_fields(self._org, reader).items()
            found = [(f"{owner}.{name}", identity) for (owner, name), identity in listed]
        elif kind == VALUES:
            found = [(name, "") for name in VALUE_SETS]
        elif kind == PERMISSION_SET:
            found = reader.execute("SELECT Name, Id FROM PermissionSet WHERE IsDeleted = 0 ORDER BY seq").fetchall()
        return [
            {
                "createdById": self._user,
                "createdByName": self._name,
                "createdDate": at,
                "fileName": FOLDERS[kind].format(name.partition(".")[0]),
                "fullName": name,
                "id": identity if len(identity) == 18 else "",
                "lastModifiedById": self._user,
                "lastModifiedByName": self._name,
                "lastModifiedDate": at,
                "namespacePrefix": "",
                "type": kind,
            }
            for name, identity in found
        ]

    # -- one by one ---------------------------------------------------------------------------------------------

    async def _save(self, call: Call) -> Any:
        listed = [each for each in xml.many(call.arguments.get("metadata")) if isinstance(each, dict)]
        components = [
            Component(str(each.pop("@type", "")), str(each.pop("fullName", "")), each) for each in _few(listed)
        ]
        return await self._each(
            components, created=call.operation == "upsertMetadata", new=call.operation == "createMetadata"
        )

    async def _delete(self, call: Call) -> Any:
        kind = str(call.arguments.get("type", ""))
        names = _few(xml.many(call.arguments.get("fullNames")))
        return await self._each([Component(kind, str(name), None) for name in names], created=False)

    async def _each(self, components: list[Component], *, created: bool, new: bool = False) -> list[dict[str, Any]]:
        changes = Changes(self._org, self._user)

        def one(component: Component) -> dict[str, Any]:
            shown: dict[str, Any] = {"created": False} if created else {}
            try:
                changes.check(component, set())
                if new:
                    changes.check_new(component)
            except RefusedError as error:
                wrong = {"message": str(error), "statusCode": error.code}
                return shown | {"errors": wrong, "fullName": component.name, "success": False}
            with self._org.database.transaction() as connection:
                change = self._applied(connection, changes, component)
            return (shown and {"created": change}) | {"fullName": component.name, "success": True}

        return [await self._org.database.write(one, component) for component in components]

    @staticmethod
    def _applied(connection: sqlite3.Connection, changes: Changes, component: Component) -> bool:
        return changes.apply(connection, component).created


def _identity(call: Call) -> str:
    return next((str(value) for value in call.arguments.values() if isinstance(value, str)), "")


def _few(listed: list[Any]) -> list[Any]:
    if len(listed) > MOST_CRUD:
        text = f"EXCEEDED_ID_LIMIT: record limit reached. cannot submit more than {MOST_CRUD} records into this call"
        raise SoapFault("EXCEEDED_ID_LIMIT", text)
    return listed


def _plain(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _begun(found: Deployment) -> dict[str, Any]:
    return {"done": False, "id": found.id, "state": "Queued"}

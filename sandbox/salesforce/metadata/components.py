"""Components as data: what a deploy's zip file, a CRUD call of the Metadata API or a Tooling record describes.

Owns reading zip files in the metadata format (`package.xml`, `objects/*.object`, `permissionsets/*.permissionset`,
`standardValueSets/*.standardValueSet`, `destructiveChanges*.xml`). Knows nothing of the org: whether a component can be is `changes`' to say.
"""

import io
import zipfile
from dataclasses import dataclass, field
from typing import Any

from sandbox.salesforce.metadata import xml

OBJECT, FIELD, PERMISSION_SET, VALUES = "CustomObject", "CustomField", "PermissionSet", "StandardValueSet"
FOLDERS = {
    "objects": (OBJECT, ".object"),
    "permissionsets": (PERMISSION_SET, ".permissionset"),
    "standardValueSets": (VALUES, ".standardValueSet"),
}
TYPES = (OBJECT, FIELD, VALUES, PERMISSION_SET)
OWN = frozenset({"label", "pluralLabel", "nameField", "deploymentStatus", "sharingModel"})  # of an object itself
DESTRUCTIVE = ("destructiveChangesPre.xml", "destructiveChanges.xml", "destructiveChangesPost.xml")


class BadPackageError(ValueError):
    """A zip file that cannot be deployed at all."""


@dataclass(slots=True)
class Component:
    """One component: `properties` as its XML has them, None when it shall be deleted; `problem` why it cannot be read."""

    type: str
    name: str
    properties: dict[str, Any] | None
    file: str = ""
    problem: str | None = None


@dataclass(slots=True)
class Package:
    """What a zip file asks for, in the order in which it can be done."""

    components: list[Component] = field(default_factory=list)
    version: str = ""


def from_zip(data: bytes, *, missing_allowed: bool = False) -> Package:
    """The components that `package.xml` names, and those that are to go; raises BadPackageError.

    A file that no member of `package.xml` names is left alone, as in Salesforce; a member without a file is a problem
    of that component unless `missing_allowed`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {_inside(each): archive.read(each) for each in archive.namelist() if not each.endswith("/")}
    except (zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise BadPackageError(f"Invalid zip file: {error}") from error
    if "package.xml" not in files:
        raise BadPackageError("No package.xml found")
    wanted, version = _manifest(files["package.xml"])
    found = {(each.type, each.name): each for path, text in files.items() for each in _components(path, text)}
    package = Package(version=version)
    for kind, name in wanted:
        if name == "*":
            package.components += [each for each in found.values() if each.type == kind]
        elif (kind, name) in found:
            package.components.append(found[kind, name])
        elif not missing_allowed:
            text = f"An object '{name}' of type {kind} was named in package.xml, but was not found in zipped directory"
            package.components.append(Component(kind, name, {}, "package.xml", text))
    whole = {name for kind, name in wanted if kind == OBJECT}
    nested = [each for each in found.values() if each.type == FIELD and each.name.partition(".")[0] in whole]
    package.components += [each for each in nested if each not in package.components]
    for path in DESTRUCTIVE:
        if path in files:
            package.components += [Component(kind, name, None, path) for kind, name in _manifest(files[path])[0]]
    package.components.sort(key=_order)
    return package


def _inside(path: str) -> str:
    """The path below the package's folder: `src/objects/X.object` and `objects/X.object` are the same."""
    parts = path.split("/")
    known = next((place for place, part in enumerate(parts[:-1]) if part in FOLDERS), None)
    return "/".join(parts[known:]) if known is not None else parts[-1]


def _order(component: Component) -> tuple[bool, int]:
    place = TYPES.index(component.type) if component.type in TYPES else len(TYPES)
    gone = component.properties is None
    return (gone, -place if gone else place)


def _manifest(text: bytes) -> tuple[list[tuple[str, str]], str]:
    try:
        listed = xml.value(xml.parse(text))
    except xml.MalformedError as error:
        raise BadPackageError(f"package.xml: {error}") from error
    listed = listed if isinstance(listed, dict) else {}
    named = [
        (str(each.get("name", "")), str(member))
        for each in xml.many(listed.get("types"))
        if isinstance(each, dict)
        for member in xml.many(each.get("members"))
    ]
    return named, str(listed.get("version", ""))


def _components(path: str, text: bytes) -> list[Component]:
    folder, _, file = path.rpartition("/")
    kind, ending = FOLDERS.get(folder, ("", ""))
    if not kind or not file.endswith(ending):
        return []
    name = file.removesuffix(ending)
    try:
        found = xml.value(xml.parse(text))
    except xml.MalformedError as error:
        return [Component(kind, name, {}, path, f"Error parsing file: {error}")]
    properties = found if isinstance(found, dict) else {}
    if kind != OBJECT:
        return [Component(kind, name, properties, path)]
    fields = [
        Component(FIELD, f"{name}.{each.get('fullName', '')}", each, path)
        for each in xml.many(properties.pop("fields", None))
        if isinstance(each, dict)
    ]
    return [Component(OBJECT, name, properties, path), *fields]

"""The map that this cutover uses, the hash by which a run is tied to it, and what it makes of the topics."""

from __future__ import annotations

from dataclasses import replace

from cutover.settings import Settings, SettingsError
from mapping.document import MapDocument, MapErrors, default_map_text, load_map
from topics.catalogue import INSTEAD, Catalogue

_NONE: frozenset[str] = frozenset()


def read_map(settings: Settings) -> tuple[MapDocument, str]:
    """The map document and its hash (of its content, not of its comments).

    Raises:
        SettingsError: The file named by cutover.map can't be read.
        MapErrors: It can be read but isn't right.
        SettingsError: It has an object that no topic is for.
    """
    path = settings.cutover.map
    if path is None:
        text, name = default_map_text(), "the default map"
    else:
        try:
            text, name = path.read_text(encoding="utf-8"), str(path)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise SettingsError(f"cutover.map names {path}, which can't be read: {reason}.") from None
    document = load_map(text, name)
    known = settings.catalogue.targets
    for object_, rule in document.objects.items():
        if rule.target != known.get(object_) and rule.target not in INSTEAD.get(object_, _NONE):
            wanted = ", ".join(f"{each} (to {_fit(each, target)})" for each, target in known.items())
            raise SettingsError(f"{name}: `{object_}` to {rule.target} has no topics. The objects are: {wanted}.")
        taken = settings.catalogue.also.get(object_)
        if rule.records_of != taken:
            wanted = "no `records_of`" if taken is None else f"`records_of: {taken}`"
            raise SettingsError(f"{name}: `{object_}` needs {wanted}: that is how its topics are laid out.")
    return document, document.hash


def _fit(object_: str, target: str) -> str:
    return " or ".join((target, *sorted(INSTEAD.get(object_, _NONE))))


def chosen_catalogue(settings: Settings) -> Catalogue:
    """The topics of a cutover, and what its map turns each object into; what is usual while the map can't be read.

    Which Salesforce object an object becomes is to be chosen before the first of its records is loaded: what was loaded elsewhere stays there.
    """
    catalogue = settings.catalogue
    try:
        document, _ = read_map(settings)
    except (SettingsError, MapErrors):
        return catalogue
    targets = catalogue.targets
    return replace(
        catalogue,
        chosen={name: rule.target for name, rule in document.objects.items() if rule.target != targets[name]},
        without=frozenset(catalogue.also) - document.objects.keys(),
    )

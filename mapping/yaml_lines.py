"""YAML text as plain data that still knows its line numbers.

Owns the reading of YAML for the map document. It works on the node tree rather than on constructed objects, so that a
key's own text is kept (`010` stays "010" as a key), a repeated key is an error, and every place has a line.
"""

from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mapping.map_errors import MapError

__all__ = ["Lines", "Path", "read_yaml"]

Path = tuple[str, ...]
"""The keys from the top of the document to a place; an item of a list is its index as text."""

_DEEPEST: Final = 12
_TAG: Final = "tag:yaml.org,2002:"


class Lines:
    """The line of every place in one text."""

    def __init__(self) -> None:
        self._lines: dict[Path, int] = {(): 1}

    def put(self, path: Path, line: int) -> None:
        self._lines[path] = line

    def of(self, path: Path) -> int:
        """Line (1-based) of `path`, or of the nearest place around it that exists."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def known(self, path: Path) -> Path:
        """`path` cut back to the longest part that exists in the text."""
        while path not in self._lines:
            path = path[:-1]
        return path


def read_yaml(text: str) -> tuple[Any, Lines, list[MapError]]:
    """Read one YAML document.

    Args:
        text: The document.

    Returns:
        The data (dicts with text keys, lists, str, int, float, bool, None), the lines of its places, and the mistakes
        of form: bad syntax (then the data is None), a repeated key, a key that is not text.
    """
    lines = Lines()
    errors: list[MapError] = []
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        problem = error.problem or "the text can't be read"
        errors.append(MapError(line, "", f"not valid YAML: {problem}", "check indentation, colons and quotes here"))
        return None, lines, errors
    except (YAMLError, ValueError):
        errors.append(MapError(1, "", "not valid YAML", "look for control characters or a wrong text encoding"))
        return None, lines, errors
    if node is None:
        return None, lines, errors
    return _value(node, (), lines, errors), lines, errors


def _value(node: Node, path: Path, lines: Lines, errors: list[MapError]) -> Any:
    if len(path) > _DEEPEST:
        line = node.start_mark.line + 1
        errors.append(MapError(line, ".".join(path), "nested too deeply", "a map has at most 6 levels"))
        return None
    if isinstance(node, MappingNode):
        return _mapping(node, path, lines, errors)
    if isinstance(node, SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            place = (*path, str(index))
            lines.put(place, item.start_mark.line + 1)
            items.append(_value(item, place, lines, errors))
        return items
    return _scalar(node) if isinstance(node, ScalarNode) else None


def _mapping(node: MappingNode, path: Path, lines: Lines, errors: list[MapError]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode):
            errors.append(MapError(line, ".".join(path), "a key must be text", "put the key in quotes"))
            continue
        key = str(key_node.value)
        place = (*path, key)
        if key in found:
            message = f"`{key}` is here twice; it is first on line {lines.of(place)}"
            errors.append(MapError(line, ".".join(place), message, "keep one of the two"))
            continue
        lines.put(place, line)
        found[key] = _value(value_node, place, lines, errors)
    return found


def _scalar(node: ScalarNode) -> str | int | float | bool | None:
    text = str(node.value)
    kind = str(node.tag).removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in {"true", "yes", "on"}
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        return text
    return text

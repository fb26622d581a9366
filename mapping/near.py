"""What somebody may have meant by a name that isn't known."""

import difflib
from collections.abc import Collection

__all__ = ["near"]


def near(name: str, names: Collection[str]) -> str:
    """The known name that is most like `name`, as a question, or all known ones."""
    found = difflib.get_close_matches(name, names, n=1)
    return f"did you mean `{found[0]}`?" if found else f"known: {', '.join(sorted(names))}"

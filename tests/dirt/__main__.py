"""`python -m tests.dirt`: writes `docs/dirty-data.md`."""

from tests.dirt.page import PAGE, rendered

PAGE.write_text(rendered(), encoding="utf-8")

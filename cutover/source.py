"""The connection to Visual Practice as the settings describe it. Called by the worker, the census and `config check`."""

from __future__ import annotations

from connectors.retry import Retry
from connectors.visual_practice.client import VisualPractice
from cutover.settings import Settings


def open_source(settings: Settings, retry: Retry | None = None) -> VisualPractice:
    """A connection to Visual Practice; without ``retry`` one that goes on trying for minutes."""
    key = settings.source.api_key
    assert key is not None, "settings.need('source') came first"
    return VisualPractice(
        settings.source.url,
        key.get_secret_value(),
        settings.source.timeout_seconds,
        settings.source.page_size,
        profile=settings.source.speech,
        time_zone=settings.source.zone,
        retry=retry,
    )

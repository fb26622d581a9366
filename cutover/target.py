"""The connection to Salesforce that the settings describe."""

from __future__ import annotations

from connectors.retry import Retry
from connectors.salesforce.session import Meter, Salesforce
from cutover.settings import Settings


def open_target(settings: Settings, retry: Retry | None = None, meter: Meter | None = None) -> Salesforce:
    """A connection to Salesforce; ``retry`` as for the source. Without a ``meter`` its calls are made as they come."""
    secret = settings.target.client_secret
    assert secret is not None, "settings.need('target') came first"
    ca_file = str(settings.target.ca_file) if settings.target.ca_file else None
    return Salesforce(
        settings.target.url,
        settings.target.client_id,
        secret.get_secret_value(),
        settings.target.api_version,
        ca_file,
        retry=retry,
        meter=meter,
    )

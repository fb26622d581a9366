"""What can go wrong with an outside service: one exception for each thing a caller can do about it.

Owns the exceptions of both connectors. Their texts carry codes, field names and advice: never a value, a body or an
address with a query, because those hold patient data.
"""

from typing import ClassVar

__all__ = [
    "BadAnswer",
    "BadCredentials",
    "ConnectorError",
    "ContentChanged",
    "LengthDiffers",
    "NotFound",
    "PageTooSlow",
    "QuotaExhausted",
    "RateLimited",
    "RequestRefused",
    "ServerFault",
    "SessionExpired",
    "StorageExhausted",
    "Unreachable",
    "Untrusted",
    "ZoneMissing",
]


class ConnectorError(Exception):
    """A call to an outside service failed.

    Attributes:
        service: Which one, e.g. `Salesforce`.
        what: What happened, without values.
        code: The service's own code or the HTTP status, as text; "" when there is none.
        retry_after: Seconds the service asks to wait, None when it says nothing.
        transient: Whether the same call may succeed later without anybody doing anything.
        advice: What the operator can do.
    """

    transient: ClassVar[bool] = False
    advice: ClassVar[str] = "Look at the service's own log around this time."

    def __init__(self, service: str, what: str, *, code: str = "", retry_after: float | None = None) -> None:
        self.service = service
        self.what = what
        self.code = code
        self.retry_after = retry_after
        super().__init__(f"{service}: {what}{f' [{code}]' if code else ''}. {self.advice}")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.service, self.what, dict(self.__dict__))


def _rebuild(kind: type[ConnectorError], service: str, what: str, state: dict[str, object]) -> ConnectorError:
    error = kind(service, what, code=str(state["code"]))
    error.__dict__.update(state)
    return error


class Unreachable(ConnectorError):
    """No whole answer came: refused, timed out, cut off.

    Attributes:
        may_have_arrived: False when the request certainly didn't reach the service. When true, a write may have been
            carried out although no answer says so.
    """

    transient = True
    advice = "Check the address, the network and the service's status page; Carryover keeps trying"

    def __init__(
        self,
        service: str,
        what: str,
        *,
        code: str = "",
        retry_after: float | None = None,
        may_have_arrived: bool = True,
    ) -> None:
        super().__init__(service, what, code=code, retry_after=retry_after)
        self.may_have_arrived = may_have_arrived


class Untrusted(ConnectorError):
    """The server's certificate can't be verified; nothing was sent."""

    advice = "Set `ca_file` to the authority that signed it, or check the address: this may not be the right server"


class BadCredentials(ConnectorError):
    """The service doesn't accept who we are."""

    advice = "Check the key or the client id and secret in the settings, and that they are not revoked"


class SessionExpired(ConnectorError):
    """A fresh session was refused as well."""

    transient = True
    advice = "If it stays, check the session policy and IP ranges of the connected app"


class RateLimited(ConnectorError):
    """Too many calls just now; `retry_after` says until when, if the service does."""

    transient = True
    advice = "Nothing to do: Carryover slows down"


class ServerFault(ConnectorError):
    """The service failed by itself (5xx)."""

    transient = True
    advice = "Nothing to do at first: Carryover keeps trying; if it stays, ask the service's support"


class BadAnswer(ConnectorError):
    """An answer came that isn't one: no JSON, an envelope without its parts, another number of rows."""

    transient = True
    advice = "Check that the address is the API's own (no proxy or sign-in page in between)"


class ContentChanged(ConnectorError):
    """A content that broke off can't be taken up where it did: it is another one now, or the server has no parts to give."""

    transient = True
    advice = "Nothing to do: Carryover begins this document again"


class LengthDiffers(ConnectorError):
    """A content is not as long as the record says; `what` names both lengths."""

    advice = "Open the document in Visual Practice; if it is damaged there, upload it anew"


class PageTooSlow(ConnectorError):
    """A page by number took longer than the server's gateway waits. Pages are smaller from here on: its number means another place now."""

    advice = "Nothing to do: Carryover begins again at the first page, with smaller ones"


class ZoneMissing(ConnectorError):
    """Times without an offset, and nobody has said what clock they are of."""

    advice = "Set `source.time_zone` to the practice's zone, e.g. America/New_York, and restart"


class NotFound(ConnectorError):
    """What the call names isn't there, or is hidden from us."""

    advice = "Check the name, the API version and the rights of the integration user"


class QuotaExhausted(ConnectorError):
    """The org's daily allowance is used up; it frees up over the next 24 hours."""

    advice = "Carryover pauses; raise the org's API allowance or wait"


class StorageExhausted(ConnectorError):
    """The org has no room for more rows."""

    advice = "Free or buy data storage in the org, then resume"


class RequestRefused(ConnectorError):
    """The service understood the call and refuses it; the same call will be refused again.

    Attributes:
        fields: Field names the service gives, possibly none.
    """

    advice = "Look the code up in the service's documentation; a map, a right or a setting needs to change"

    def __init__(
        self,
        service: str,
        what: str,
        *,
        code: str = "",
        retry_after: float | None = None,
        fields: tuple[str, ...] = (),
    ) -> None:
        super().__init__(service, what, code=code, retry_after=retry_after)
        self.fields = fields

"""SOAP envelopes of the Metadata API.

Owns their shape and that of faults; knows no operation. Called by the route.
"""

from typing import Any, NamedTuple

from sandbox.salesforce.metadata import xml

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
METADATA = "http://soap.sforce.com/2006/04/metadata"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


class Call(NamedTuple):
    """What a client asks for: the session it names, the operation, and its arguments."""

    session: str
    operation: str
    arguments: dict[str, Any]


class SoapFault(Exception):
    """The call is refused; `code` is without its prefix."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def read(body: bytes) -> Call:
    """The call in an envelope; raises SoapFault when there is none."""
    try:
        root = xml.parse(body)
    except xml.MalformedError as error:
        raise SoapFault("UNKNOWN_EXCEPTION", f"UNKNOWN_EXCEPTION: {error}") from error
    parts = {xml.name(part): part for part in root}
    if xml.name(root) != "Envelope" or not len(parts.get("Body", ())):
        raise SoapFault("UNKNOWN_EXCEPTION", "UNKNOWN_EXCEPTION: No body was found in the envelope")
    header = xml.value(parts["Header"]) if "Header" in parts else {}
    session = header.get("SessionHeader") if isinstance(header, dict) else None
    asked = parts["Body"][0]
    arguments = xml.value(asked)
    return Call(
        str(session.get("sessionId", "")) if isinstance(session, dict) else "",
        xml.name(asked),
        arguments if isinstance(arguments, dict) else {},
    )


def answer(operation: str, result: Any) -> str:
    """The envelope of an answer; a list becomes several `result` elements."""
    inner = xml.write("result", result)
    return _envelope(f'<{operation}Response xmlns="{METADATA}">{inner}</{operation}Response>')


def fault(error: SoapFault) -> str:
    """The envelope of a fault."""
    inner = xml.write("faultcode", f"sf:{error.code}") + xml.write("faultstring", error.text)
    return _envelope(f"<soapenv:Fault>{inner}</soapenv:Fault>")


def _envelope(body: str) -> str:
    spaces = f'xmlns:soapenv="{ENVELOPE}" xmlns:sf="{METADATA}" xmlns:xsi="{INSTANCE}"'
    return f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope {spaces}><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>'

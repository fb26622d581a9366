"""The certificate of the https port, from a certification authority that lives in the data directory.

Owns the files `ca.pem` and `server.pem`; they are kept over restarts, so that a client may go on trusting them. Needs
`trustme` (the `sandbox` extra); without it there is no https port.
"""

import ssl
from pathlib import Path


def context(folder: Path, host: str) -> tuple[ssl.SSLContext, Path] | None:
    """The server's TLS context and the file with the authority to trust, or None when `trustme` is not installed."""
    authority, server, names = folder / "ca.pem", folder / "server.pem", folder / "server.names"
    wanted = " ".join(sorted({host, "localhost", "127.0.0.1", "::1"}))
    if not (authority.exists() and server.exists() and names.exists() and names.read_text() == wanted):
        try:
            import trustme  # noqa: PLC0415  (optional)
        except ImportError:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        issuer = trustme.CA(organization_name="Carryover sandbox")
        issued = issuer.issue_cert(*wanted.split())
        issuer.cert_pem.write_to_path(authority)
        issued.private_key_and_cert_chain_pem.write_to_path(server)
        server.chmod(0o600)
        names.write_text(wanted)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(server)
    return made, authority

"""Keys that assertions are signed with, and the certificates that the sandbox checks them by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_PEM = serialization.Encoding.PEM


def certified_key(card: dict[str, Any]) -> rsa.RSAPrivateKey:
    """A new key whose certificate is from now on that of the connected app of the org on ``card``."""
    key = new_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Carryover sandbox")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
    ).sign(key, hashes.SHA256())
    certificate = {"certificate": made.public_bytes(_PEM).decode()}
    assert httpx.post(f"{card['url']}/__admin/certificate", json=certificate).status_code == 201
    return key


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


def private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()

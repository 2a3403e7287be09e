"""A certificate for 127.0.0.1, and a bundle that trusts it beside the system's authorities.

The bundle is as long as the system's own, so building a TLS context from it costs what it costs in
production.
"""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.stand_in import HOST

_LIFE = timedelta(days=1)


def make(folder: Path) -> tuple[Path, Path]:
    """Write the server's key with its certificate, and the bundle; returns both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    server, bundle = folder / "server.pem", folder / "bundle.pem"
    server.write_bytes(private + certificate)
    bundle.write_bytes(_system_bundle() + certificate)
    return server, bundle


def authorities(bundle: Path) -> int:
    """How many certificates a bundle holds."""
    return bundle.read_bytes().count(b"BEGIN CERTIFICATE")


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LIFE)
        .not_valid_after(now + _LIFE)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )


def _system_bundle() -> bytes:
    path = ssl.get_default_verify_paths().cafile
    return Path(path).read_bytes() if path else b""

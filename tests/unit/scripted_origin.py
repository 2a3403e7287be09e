"""An HTTP origin on a real loopback socket that does to its clients exactly what a test says."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Peer:
    """The origin's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def request(self) -> tuple[str, dict[str, str], bytes] | None:
        """Read one request: its first line, its headers (names in lower case), its body."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.sock.recv(65536)
            if not piece:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        while len(body) < int(headers.get("content-length", "0")):
            body += self.sock.recv(65536)
        return first, headers, body

    def send(self, data: bytes) -> None:
        """Send all of `data`; under TLS as records of its own."""
        self.sock.sendall(data)

    def close(self) -> None:
        """End the connection in good order: FIN, and close_notify under TLS."""
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.setblocking(False)
            # Sends our close_notify and does not wait for the client's.
            with contextlib.suppress(OSError):
                self.sock.unwrap()
        self.sock.close()

    def cut(self) -> None:
        """End the connection with FIN alone; under TLS that is a cut."""
        self.sock.close()

    def reset(self) -> None:
        """Break the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Origin:
    """Accepts connections one after the other and runs `serve` on each, in a thread."""

    def __init__(
        self, serve: Callable[[Peer], None], context: ssl.SSLContext | None = None
    ) -> None:
        self.connections = 0
        self._serve = serve
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._peers: list[Peer] = []
        self._thread = threading.Thread(target=self._run)

    @property
    def url(self) -> str:
        """The origin, as a connection takes it."""
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            # A thread that reads is woken by this.
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for peer in self._peers:
            peer.sock.close()

    def _run(self) -> None:
        while True:
            try:
                sock = self._listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            # Nagle would keep a small answer back, and a reset then throws it away.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError):
                if self._context:
                    sock = self._context.wrap_socket(sock, server_side=True)
                peer = Peer(sock)
                self._peers.append(peer)
                self._serve(peer)
            sock.close()


def certificate(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1; the origin's context and one of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "osiris test")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "certificate.pem").write_bytes(made.public_bytes(pem))
    (directory / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(directory / "certificate.pem", directory / "key.pem")
    return server, ssl.create_default_context(cafile=directory / "certificate.pem")


def serving(answer: bytes) -> Callable[[Peer], None]:
    """Give every request of a connection the same answer, until the client closes it."""

    def serve(peer: Peer) -> None:
        while peer.request():
            peer.send(answer)

    return serve


def once(answer: bytes, *, end: str = "close") -> Callable[[Peer], None]:
    """Give the first request an answer, then end the connection: close, cut or reset."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(answer)
        getattr(peer, end)()

    return serve


def in_turn(*serves: Callable[[Peer], None]) -> Callable[[Peer], None]:
    """Serve the first connection one way, the second another, and so on."""
    left: Iterator[Callable[[Peer], None]] = iter(serves)
    return lambda peer: next(left)(peer)

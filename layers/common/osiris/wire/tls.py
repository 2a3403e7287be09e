"""The one TLS context of the process.

Building one reads the system's CA bundle, about 20 ms of CPU, so every connection shares it and
a process that only speaks plain HTTP never pays for it.
"""

import functools
import ssl


@functools.cache
def shared_context() -> ssl.SSLContext:
    """Return the process's client context; it honours SSL_CERT_FILE and SSL_CERT_DIR."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context

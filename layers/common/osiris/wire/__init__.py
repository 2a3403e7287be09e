"""Bytes on a socket: one kept-alive connection, the shared TLS context, AWS's signature."""

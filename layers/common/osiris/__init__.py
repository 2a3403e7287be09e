"""Osiris, a prepaid gateway to language models.

The package is built in floors; each imports only from below (`make check` proves it):
errors · money, ids, json_text · secrets_text, window, catalogue, sse · usage · ledger ·
settings, wire · store, upstream, identity · app · flows · http · runtime, cli.
"""

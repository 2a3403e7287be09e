"""`osiris`, the operator's command: models, keys, credit, secrets, the ledger and its proof.

One module a noun; `output` writes what they answer, `operator` knows who runs them.
"""

from osiris.cli.root import main

__all__ = ["main"]

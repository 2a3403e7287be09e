"""Admissions, one after the other: `python -m bench.caller lean|boto3`, told how many by lines."""

import os
import sys
import time

from bench import answers
from osiris.app.lean import aws_json
from osiris.ids import request_id
from osiris.secrets_text import hash_of
from osiris.settings import from_environ
from osiris.store.keys import Keys
from osiris.store.transport import Transport


def transport(name: str) -> Transport:
    """The transport by its name; boto3 is imported only for its own."""
    if name == "lean":
        from osiris.store.transport_lean import LeanTransport

        return LeanTransport(aws_json(from_environ(os.environ, needs=("region",)), "dynamodb"))
    from osiris.store.transport_boto3 import Boto3Transport, client_of

    return Boto3Transport(client_of("dynamodb"))


def admit(keys: Keys) -> None:
    """The store's Admit: the most elaborate of the three writes."""
    now_ms = time.time_ns() // 1_000_000
    admission = keys.admit(
        answers.KEY_ID,
        secret_hash=hash_of(answers.SECRET),
        request_id=request_id(now_ms, os.urandom(16)),
        hold_nano=answers.HOLD_NANO,
        slot=7,
        open_requests_max=40,
        now_ms=now_ms,
    )
    assert admission.admitted


def main() -> None:
    """Make as many calls as each line says, and answer with a line."""
    keys = Keys(transport(sys.argv[1]), os.environ["OSIRIS_KEYS_TABLE"])
    for line in sys.stdin:
        for _ in range(int(line)):
            admit(keys)
        print("done", flush=True)


if __name__ == "__main__":
    main()

"""Cases of the contract that an engine gets wrong, by its kind and by what it does instead.

They are the versions locked in requirements/. None of them is in the way of a call that the store
makes; where one would hide a mistake of ours (a second `+`, say), the memory engine finds it.
"""

DEVIATIONS: dict[str, dict[str, frozenset[str]]] = {
    "moto": {
        "lets this grammar or type pass, or breaks on it with an error of Python's": frozenset(
            {
                "n = :five AND",
                "n == :five",
                "n",
                "n < :five_text",
                "n < :yes",
                "n > :map",
                "n BETWEEN :six AND :five",
                "n BETWEEN :five AND :beta",
                "n IN ()",
                "begins_with(s, :five)",
                "attribute_type(n, :type_odd)",
                "attribute_exists(:five)",
                "attribute_exists(n) = :yes",
                "size(n)",
                "size(n) < :six",
                "size(nowhere) < :five",
                "size(nowhere) >= :zero",
                "size(nowhere) = :zero",
                "n = n",
                "odd(n) = :five",
                "if_not_exists(n, :five) = :five",
                "n + :one = :six",
                "_n = :five",
                "size(:list) = :five",
                "begins_with(odd(s), :be)",
                "attribute_exists(size(n))",
                "attribute_exists(n, s)",
                "size(holds, n) = :five",
                "SET n = (n + :one)",
                "SET #window.x = :one",
                "SET n.x = :one",
            }
        ),
        "takes two attributes that are not there for equal": frozenset({"nowhere = never"}),
        "compares the start of base64 text, not of bytes": frozenset({"begins_with(b, :b_start)"}),
        "adds more than two numbers in one action": frozenset(
            {"SET n = n + :one - :one", "SET n = :one + :one + :one"}
        ),
        "rounds beyond 28 digits": frozenset({"SET huge = huge + :half"}),
        "counts a list's indexes while it writes": frozenset(
            {
                "SET #window[90] = :six, #window[70] = :five",
                "REMOVE #window[1] SET #window[2] = :five",
            }
        ),
        "keeps a number's text as it was sent": frozenset({"a number's form"}),
        "lets this value, key or name pass": frozenset(
            {
                "value {'SS': ['a', 'a']}",
                f"value {{'N': '{'1' * 39}'}}",
                "key {'pk': ''}",
                "key {'pk': 5}",
                "index keys of another type",
                "used {'ExpressionAttributeValues': {':one': {'SS': []}}}",
                "used {'ConditionExpression': '#n = :one'}",
                "used {'ExpressionAttributeNames': {}}",
                "query pk = :a OR sk = :a",
                "query pk = :a AND sk <> :a",
            }
        ),
        "takes the name of a list's element for not used": frozenset({"projection of an element"}),
        "counts more than names and values": frozenset({"400 KB"}),
        "breaks on the size of what is not there": frozenset(
            {"a filter on the size of what some items lack"}
        ),
        "ignores the token": frozenset({"a transaction's token"}),
        "counts no sizes, indexes or transactions": frozenset(
            {
                "units of 100 bytes",
                "units of 1024 bytes",
                "units of 1025 bytes",
                "units of 4096 bytes",
                "units of 4097 bytes",
                "units of 113 numbers",
                "units of an index",
                "units of a transaction",
                "units of a query",
            }
        ),
    },
    "ministack": {
        "lets this grammar or type pass": frozenset(
            {
                "n < :yes",
                "n > :map",
                "n BETWEEN :five AND :beta",
                "attribute_type(n, :type_odd)",
                "n = n",
                "n + :one = :six",
                "_n = :five",
                "SET n = (n + :one)",
                "SET n = n + :beta",
                "SET n = s + :one",
                "SET n = :one,",
                "SET :one = n",
                "SET n",
                "SET n = :one SET zero = :one",
                "SET #window = list_append(#window, :one)",
            }
        ),
        "refuses what is false by the item alone": frozenset(
            {"begins_with(n, :be)", "size(n) < :six"}
        ),
        "takes two attributes that are not there for equal": frozenset({"nowhere = never"}),
        "adds more than two numbers in one action": frozenset(
            {"SET n = n + :one - :one", "SET n = :one + :one + :one"}
        ),
        "rounds beyond 28 digits": frozenset({"SET huge = huge + :one", "SET huge = huge + :half"}),
        "counts a list's indexes while it writes": frozenset(
            {"SET #window[90] = :six, #window[70] = :five", "REMOVE #window[0], #window[2]"}
        ),
        "lets any key condition pass": frozenset(
            {"query pk = :a OR sk = :a", "query pk = :a AND sk <> :a"}
        ),
        "counts one unit for any read": frozenset({"units of 4097 bytes", "units of a query"}),
        "lets paths overlap, conflict, or lead nowhere": frozenset(
            {
                "SET holds[0] = :one",
                "REMOVE nowhere.x",
                "SET n = :one, n = :two",
                "SET holds = :empty, holds.#r1 = :one",
                "SET holds.#r1 = :one REMOVE holds",
                "SET holds.#r1 = :one, holds[0] = :one",
            }
        ),
    },
}


def reason_of(kind: str, case: str) -> str | None:
    """Why the engine fails this case, None when it should not."""
    for reason, cases in DEVIATIONS.get(kind, {}).items():
        if case in cases:
            return reason
    return None

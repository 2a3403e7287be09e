#!/usr/bin/env bash
# Prints the path of a Python 3.13 that is already on this machine, or says how to get one.
# It downloads nothing: which interpreter to trust is the user's choice.
set -u

is_wanted() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1
}

candidates() {
    [ -n "${PYTHON:-}" ] && echo "$PYTHON"
    echo python3.13
    echo python3
    if command -v pyenv >/dev/null 2>&1; then
        ls -d "$(pyenv root)"/versions/3.13*/bin/python3.13 2>/dev/null
    fi
    if command -v uv >/dev/null 2>&1; then
        UV_PYTHON_DOWNLOADS=never uv python find --no-project 3.13 2>/dev/null
    fi
}

while IFS= read -r candidate; do
    if is_wanted "$candidate"; then
        command -v "$candidate"
        exit 0
    fi
done < <(candidates)

echo "Osiris needs Python 3.13 and found none. Install it in one of these ways, then run make again:" >&2
echo "  uv python install 3.13   |   pyenv install 3.13   |   your system's package python3.13" >&2
echo "If it is somewhere else: make PYTHON=/path/to/python3.13 …" >&2
exit 1

#!/usr/bin/env bash
# make_venv.sh DIR: an empty virtual environment of Python 3.13 in DIR, unless a working one is there.
set -eu

dir=$1
if "$dir/bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1; then
    exit 0
fi
python=$(bash "$(dirname "$0")/find_python.sh")
echo "· creating $dir with $("$python" --version) ($python)" >&2
if ! "$python" -m venv --clear "$dir"; then
    echo "$python cannot make virtual environments; on Debian and Ubuntu: apt install python3.13-venv" >&2
    exit 1
fi

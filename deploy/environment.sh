#!/bin/sh
# Makes .venv for `make`, or adds to it: environment.sh <running|testing>.
# PYTHON, if it is set, is the only Python that is tried.
set -eu
wanted=$1
started=$(date +%s)

# Each is run, not just looked up: pyenv has shims for Pythons that it will not run.
find_python() {
    lacking=
    for python in ${PYTHON:-python3.11 python3.12 python3}; do
        "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
            2> /dev/null || continue
        reason=$("$python" -c 'import ensurepip, sqlite3, ssl, venv' 2>&1) && return
        lacking="$python cannot make an environment: $(echo "$reason" | tail -n 1).
On Debian and Ubuntu, install what it lacks: apt-get install $(basename "$python")-venv"
    done
    tried=${PYTHON:-python3.11, python3.12 or python3}
    echo "${lacking:-Python 3.11 or 3.12 is needed, and none runs as $tried.
Install one (Debian 12, Ubuntu 24.04: apt-get install python3 python3-venv), or say where it is:
make run PYTHON=/path/to/python3.12}" >&2
    exit 1
}

tell_if_failed() {
    [ $? = 0 ] || echo "The environment is not ready, for the reason above. Then run it again." >&2
}

# uv takes seconds where pip takes minutes. On a terminal it shows how far it is.
install() {
    quiet=--quiet
    [ ! -t 2 ] || quiet=
    .venv/bin/uv pip install $quiet --python .venv/bin/python --require-hashes --requirements "$1"
}

# .venv/running goes before anything is touched: if this is broken off .venv is made anew.
if [ "$wanted" = running ]; then
    find_python
    trap tell_if_failed EXIT
    echo "Making the environment in .venv, once, with $("$python" --version): 150 packages, up to"
    echo "300 MB to fetch, 0.8 GB on disk. It takes a minute where the network is fast."
    rm -f .venv/running
    "$python" -m venv --clear .venv
    .venv/bin/python -m pip install -qq --disable-pip-version-check uv==0.13.9
    install requirements.lock
else
    trap tell_if_failed EXIT
    echo "Adding the tools for tests to .venv, once: 25 packages, up to 150 MB to fetch."
    rm -f .venv/running
    install requirements-dev.lock
    touch .venv/running
fi
touch ".venv/$wanted"
echo "Ready after $(($(date +%s) - started)) s."

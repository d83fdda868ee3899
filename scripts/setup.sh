#!/bin/sh
# Makes .venv, an environment of this checkout's own, and installs codexd into it, editable.
#
#   scripts/setup.sh EXTRAS        EXTRAS as in pyproject.toml, for example "codex,test"
#
# Does nothing when .venv was made for these extras (or more) from the pyproject.toml at hand. Codex and its SDK are
# of the version that tests/codex_versions.env pins. The Python is $PYTHON, else the first of python3, python3.14 …
# python3.11 that is new enough and can make environments.
# When something is missing, says what, and how to get it, and exits with 1.
set -eu

extras=${1:?usage: scripts/setup.sh EXTRAS}
cd "$(dirname "$0")/.."
venv=.venv
stamp=$venv/codexd-setup
versions=tests/codex_versions.env

say() { printf '%s\n' "$*" >&2; }

give_up() {
    say ""
    say "codexd: $1"
    shift
    for line; do say "  $line"; done
    exit 1
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

makes_environments() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

# What to type to get Python ($1 empty), or the venv module of Python $1.
how_to_get() {
    if command -v apt-get >/dev/null 2>&1; then
        if [ -n "$1" ] && [ "$(version_of /usr/bin/python3 2>/dev/null)" != "$1" ]; then
            say "  sudo apt-get install python$1-venv"
        else
            say "  sudo apt-get install python3 python3-venv"
        fi
    elif command -v dnf >/dev/null 2>&1; then say "  sudo dnf install python3"
    elif command -v pacman >/dev/null 2>&1; then say "  sudo pacman -S python"
    elif command -v apk >/dev/null 2>&1; then say "  sudo apk add python3"
    elif command -v brew >/dev/null 2>&1; then say "  brew install python"
    else say "  see https://www.python.org/downloads/"
    fi
}

# Sets python, or explains why it cannot.
find_python() {
    without_venv=
    for python in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        [ -n "$python" ] && new_enough "$python" || continue
        makes_environments "$python" && return
        without_venv=${without_venv:-$python}
    done
    say ""
    if [ -n "$without_venv" ]; then
        say "codexd: $without_venv cannot make virtual environments: its venv or ensurepip module is missing. To get it:"
        how_to_get "$(version_of "$without_venv")"
    elif command -v python3 >/dev/null 2>&1; then
        say "codexd: Python 3.11 or newer is needed; python3 here is $(python3 -V 2>&1 || true). To get one:"
        how_to_get ""
    else
        say "codexd: Python 3.11 or newer is needed, and there is no python3 here. To get it:"
        how_to_get ""
    fi
    exit 1
}

made_for() { cat pyproject.toml "$versions" | cksum; }

is_up_to_date() {
    [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python" && [ -f "$stamp" ] || return 1
    [ "$(sed -n 1p "$stamp")" = "$(made_for)" ] || return 1
    installed=$(sed -n 2p "$stamp")
    for extra in $(echo "$extras" | tr ',' ' '); do
        case ",$installed," in *",$extra,"*) ;; *) return 1 ;; esac
    done
}

is_up_to_date && exit 0
if ! { [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python"; }; then
    find_python
    say "Making $venv with $("$python" -V)"
    "$python" -m venv --clear "$venv" || give_up "$python could not make $venv."
fi
rm -f "$stamp"
say "Installing codexd and its extras $extras into $venv; the first time this downloads Codex itself, about 150 MB"
. "./$versions"
printf 'openai-codex-cli-bin==%s\nopenai-codex==%s\n' "$PYPI" "$PYPI" >"$venv/pinned.txt"
PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip install --quiet \
    --constraint "$venv/pinned.txt" --editable ".[$extras]" ||
    give_up "Could not install codexd and its extras $extras; the reason is above." \
        "It needs a package index: PyPI, or the one that PIP_INDEX_URL names."
{ made_for; echo "$extras"; } >"$stamp"

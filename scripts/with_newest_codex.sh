#!/bin/sh
# Runs a command with CODEX_PATH naming the newest Codex that npm has, installed for the length of the command.
#
#   scripts/with_newest_codex.sh COMMAND...        CODEX_VERSION=… takes that version (or npm's tag) instead
set -eu

python=$(cd "$(dirname "$0")/.." && pwd)/.venv/bin/python
command -v npm >/dev/null 2>&1 || { echo "codexd: the newest Codex comes from npm, and there is no npm here" >&2; exit 1; }

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
npm install --prefix "$directory" --ignore-scripts --no-audit --no-fund --loglevel=error \
    "@openai/codex@${CODEX_VERSION:-latest}" >&2
CODEX_PATH=$("$python" -m tests.codex_binaries "$directory")
export CODEX_PATH
"$CODEX_PATH" --version >&2
"$@"

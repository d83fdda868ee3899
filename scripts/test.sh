#!/bin/sh
# Runs all tests with coverage, those with the real Codex beside the others: the former wait, the latter reckon.
#
# What the others say comes when they are done. Exits with 1 when anything failed.
set -eu

cd "$(dirname "$0")/.."
pytest() { .venv/bin/python -m coverage run -m pytest "$@"; }

said=$(mktemp)
trap 'rm -f "$said"' EXIT
.venv/bin/python -m coverage erase
pytest -m "not e2e" >"$said" 2>&1 &
others=$!
trap 'kill "$others" 2>/dev/null; exit 130' INT TERM
failed=0
pytest -m e2e || failed=1
wait "$others" || failed=1
cat "$said"
.venv/bin/python -m coverage combine --quiet
.venv/bin/python -m coverage report
exit "$failed"

#!/bin/sh
# Installs what the tests take from npm (tests/codex_versions.env says which versions) into .venv/npm.
#
# Does nothing when that is there. Without Node.js and npm, or when npm fails, it says so and exits with 0 all the
# same: the tests that need it are skipped, and say why.
set -eu

cd "$(dirname "$0")/.."
versions=tests/codex_versions.env
directory=.venv/npm
stamp=$directory/made-for

say() { printf '%s\n' "$*" >&2; }

skip() {
    say "codexd: $1; the tests that need Codex or the ACP adapter from npm will be skipped."
    exit 0
}

made_for() { cksum <"$versions"; }

for program in node npm; do
    command -v "$program" >/dev/null 2>&1 || skip "there is no $program here"
done
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(made_for)" ] && exit 0

. "./$versions"
rm -rf "$directory"
mkdir -p "$directory"
# The adapter asks for a Codex of its own; the override gives it the one that the tests run, and saves 400 MB.
cat >"$directory/package.json" <<END
{
  "private": true,
  "dependencies": {"@openai/codex": "$NPM", "@agentclientprotocol/codex-acp": "$ACP_ADAPTER"},
  "overrides": {"@openai/codex": "\$@openai/codex"}
}
END
say "Installing Codex $NPM and the ACP adapter $ACP_ADAPTER from npm into $directory, about 430 MB"
npm install --prefix "$directory" --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
    skip "npm could not install them, the reason is above"
made_for >"$stamp"

#!/usr/bin/env bash
# Sends a prompt to Codex by way of codexd and streams the reply: prompt.sh PROMPT
# Needs bash 4, socat and jq. jq makes of every line that matters two records, what it is and its text, with a NUL
# after each: the one byte that no text of Codex's holds.
path=${CODEXD_SOCKET:-${XDG_RUNTIME_DIR:-/run/user/$UID}/codexd/codexd.sock}
records='
  if .error? and (.method | not) then "failed", .error.message
  elif .id == 2 and .result then "thread", .result.thread.id
  elif .method == "item/agentMessage/delta" then "delta", .params.delta
  elif .method == "turn/completed" and .params.turn.status == "completed" then "done", ""
  elif .method == "turn/completed" then "failed", (.params.turn.error.message // .params.turn.status)
  elif .method and .id then "asked", "\(.method): codexctl approvals accept|decline \(.id)"
  else empty end | ., "\u0000"'

coproc codexd { socat - "UNIX-CONNECT:$path" | jq --unbuffered -j "$records"; }
exec {from}<&"${codexd[0]}" {to}>&"${codexd[1]}"

send() { jq -nc "$@" >&"$to"; }
receive() { IFS= read -r -d '' kind <&"$from" && IFS= read -r -d '' text <&"$from"; }

send '{id: 1, method: "initialize", params: {clientInfo: {name: "prompt.sh", version: "1"}}}'
send --arg cwd "$PWD" '{id: 2, method: "thread/start", params: {cwd: $cwd}}'
while receive; do
  case $kind in
    thread) send --arg thread "$text" --arg prompt "$*" \
      '{id: 3, method: "turn/start", params: {threadId: $thread, input: [{type: "text", text: $prompt}]}}' ;;
    delta) printf %s "$text" ;;
    asked) printf '\n%s\n' "$text" >&2 ;;
    failed) printf '%s\n' "$text" >&2; exit 1 ;;
    done) echo; exit ;;
  esac
done
echo "codexd does not listen at $path, or has ended; start it with: codexd start" >&2
exit 1

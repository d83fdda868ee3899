"""Sends a prompt to Codex by way of codexd and streams the reply: prompt.py PROMPT"""

import json, os, socket, sys

runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
path = os.environ.get("CODEXD_SOCKET") or f"{runtime}/codexd/codexd.sock"
codexd = socket.socket(socket.AF_UNIX)
try:
    codexd.connect(path)
except OSError as error:
    sys.exit(f"codexd does not listen at {path} ({error}); start it with: codexd start")


def send(**message):
    codexd.sendall(json.dumps(message).encode() + b"\n")


send(id=1, method="initialize", params={"clientInfo": {"name": "prompt.py", "version": "1"}})
send(id=2, method="thread/start", params={"cwd": os.getcwd()})
for line in codexd.makefile("rb"):
    message = json.loads(line)
    match message:
        case {"error": error}:
            sys.exit(error["message"])
        case {"id": 2, "result": {"thread": {"id": thread}}}:
            prompt = [{"type": "text", "text": " ".join(sys.argv[1:])}]
            send(id=3, method="turn/start", params={"threadId": thread, "input": prompt})
        case {"method": "item/agentMessage/delta", "params": {"delta": delta}}:
            print(delta, end="", flush=True)
        case {"method": "turn/completed", "params": {"turn": {"status": "completed"}}}:
            sys.exit(print())
        case {"method": "turn/completed", "params": {"turn": turn}}:
            sys.exit((turn["error"] or {}).get("message", turn["status"]))
        case {"method": asked, "id": id}:
            print(f"\n{asked}: codexctl approvals accept|decline {id}", file=sys.stderr)
sys.exit("codexd closed the connection")

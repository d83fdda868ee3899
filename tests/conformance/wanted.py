"""The differences between codexd and Codex that are wanted, each with its reason. All others are bugs.

``is_noise``: what Codex tells every connection of other connections' threads; a private Codex has no others.

Not compared at all:

* A malformed call of an experimental method or member by a client without `experimentalApi`: codexd names the gate
  where Codex complains of the type first. Of several such members codexd names the first of the alphabet, Codex that
  which its source has first: no schema tells.
* A malformed or unknown call in front of the handshake: codexd says `Not initialized` to all alike.
* A capability of the wrong type that an older Codex does not know yet: codexd refuses it all the same.
* Lines that Codex drops without a word: codexd says why (`tests/e2e/test_bad_input.py`).
* Messages beyond the size that a setting of codexd's allows: `-32053`.
* The name that Codex has from its first client (`originator`, the beginning of `userAgent`): here codexd's setting
  `client_name` is the name of the client.
"""

from collections.abc import Set
from typing import Any

from codexd.protocol.catalogue import to_everyone
from tests.conformance.noise import Noise
from tests.e2e.harness_client import Message

TO_EVERYBODY = frozenset({"account/rateLimits/updated"})
"""Codex sends it to those who follow the thread whose model told the limits, without saying which thread that was.
The limits are the account's, so codexd tells everybody."""

_REALTIME = frozenset({"error", "thread/status/changed", "thread/realtime/closed"})
EITHER_SIDE = {
    "thread/realtime/appendAudio": _REALTIME,
    "thread/realtime/appendSpeech": _REALTIME,
    "thread/realtime/appendText": _REALTIME,
    "thread/realtime/stop": _REALTIME,
    "thread/backgroundTerminals/clean": frozenset({"item/completed"}),
    "thread/backgroundTerminals/terminate": frozenset({"item/completed"}),
    "turn/start": frozenset({"warning"}),
    "windowsSandbox/setupStart": frozenset({"windowsSandbox/setupCompleted"}),
}
"""Answers, and what bare Codex itself sends now before and now behind them, too seldom to be seen in a few runs."""

NEVER_HELD = to_everyone(None)
"""What goes to everybody is passed on at once, also of a sub-agent's thread, whose first messages wait until Codex has
said whose it is: it may overtake them. Among its like it keeps its order."""

STATUS = "thread/status/changed"
"""Said twice with the same status it counts once: an archived thread that Codex is to unload at once, as codexd's Codex
is, may say `notLoaded` for both reasons (seen once in some hundred loaded runs)."""

OF_REQUESTS_OF_CODEX = frozenset({"serverRequest/resolved"})
"""What names a request of Codex, and not of a client."""

LISTS = frozenset({"thread/list", "thread/loaded/list", "thread/search"})
"""Views of all threads, of other clients' too."""


def is_noise(message: Message, noise: Noise) -> bool:
    """Whether the message is about another client's thread; then it must be one that goes to everybody."""
    if message.get("method") in TO_EVERYBODY or noise.is_noise(message):
        return True
    params = message.get("params")
    if not isinstance(params, dict):
        return False
    thread = params.get("threadId") or (params.get("thread") or {}).get("id")
    if thread not in noise.threads:
        return False
    assert message["method"] in NEVER_HELD, f"another client's: {message}"
    return True


def reduced(method: str, message: Message, noise: Set[str]) -> Message:
    """The message without what is wanted to differ."""
    result = message.get("result")
    if method in LISTS and isinstance(result, dict):
        return {**message, "result": _without_noise(result, noise)}
    if method == "server/diagnostics" and isinstance(result, dict):
        return {**message, "result": sorted(result)}  # sizes, and counts of everybody's doings
    if method == "thread/realtime/list" and isinstance(result, dict):
        return {
            **message,
            "result": {"data": result["data"]},
        }  # how far Codex has read the thread for it is chance
    if method in ("skills/list", "hooks/list") and isinstance(result, dict):
        return {**message, "result": {**result, "data": [_by_name(entry) for entry in result["data"]]}}
    if method == "config/read" and isinstance(result, dict):
        return {**message, "result": {**result, **_without_unload_delay(result)}}
    return message


def _by_name(entry: dict[str, Any]) -> dict[str, Any]:
    """Codex says back a relative directory as it was; codexd has made it absolute, from where the client stands."""
    return {**entry, "cwd": entry["cwd"].rpartition("/")[2]}


def _without_unload_delay(result: dict[str, Any]) -> dict[str, Any]:
    """codexd keeps a deserted thread for a delay of its own, and has Codex unload at once."""
    name = "thread_unload_delay_secs"
    shown = {
        member: {key: value for key, value in result[member].items() if key != name}
        for member in ("config", "origins")
    }
    layers = result.get("layers")
    return {**shown, "layers": layers and [layer for layer in layers if list(layer["config"]) != [name]]}


def _without_noise(result: dict[str, Any], noise: Set[str]) -> dict[str, Any]:
    """A list without others' threads. A cursor tells a place in the list of all, so only whether there is one stays."""
    kept = [entry for entry in result["data"] if _id(entry) not in noise]
    cursors = {name: bool(kept and value) for name, value in result.items() if name.endswith("Cursor")}
    states = {id: state for id, state in result.get("readStates", {}).items() if id not in noise}
    return {**result, **cursors, "data": kept, **({"readStates": states} if "readStates" in result else {})}


def _id(entry: Any) -> object:
    match entry:
        case {"id": id} | {"thread": {"id": id}}:
            return id
        case _:
            return entry

"""What the Codex at hand says of itself: its methods, and the schema that it generates."""

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.harness import World


@dataclass(frozen=True)
class Codex:
    """One binary. ``methods``: those that ``unknown variant`` enumerates, hidden ones included."""

    path: Path
    version: str
    methods: tuple[str, ...]
    requests: dict[str, Any]
    """Every method of the experimental schema with the schema of its params."""
    experimental: frozenset[str]
    """The methods that the stable schema lacks."""
    experimental_fields: dict[str, frozenset[str]]
    """The members of a stable method's params that the stable schema lacks."""
    notifications: frozenset[str]
    server_requests: frozenset[str]
    definitions: dict[str, Any]


def ask(path: Path) -> Codex:
    """Starts the binary once for its methods and twice for its schemas."""
    world = World(path)
    try:
        client = world.bare_codex()
        message = client.call_error("no/such/method")["message"]
    finally:
        world.close()
    with tempfile.TemporaryDirectory() as place:
        schema = _generated(path, Path(place) / "experimental", "--experimental")
        stable = _generated(path, Path(place) / "stable")
    requests, stable_requests = _variants(schema["ClientRequest"]), _variants(stable["ClientRequest"])
    definitions: dict[str, Any] = schema["ClientRequest"]["definitions"]
    fields = {
        method: _members(requests[method], definitions)
        - _members(stable_requests[method], stable["ClientRequest"]["definitions"])
        for method in stable_requests
    }
    version = subprocess.run(
        [str(path), "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    return Codex(
        path=path,
        version=version,
        methods=tuple(re.findall(r"`([^`]+)`", message)[1:]),
        requests=requests,
        experimental=frozenset(requests) - frozenset(stable_requests),
        experimental_fields={method: members for method, members in fields.items() if members},
        notifications=frozenset(_variants(schema["ServerNotification"])),
        server_requests=frozenset(_variants(schema["ServerRequest"])),
        definitions=definitions,
    )


def _generated(path: Path, out: Path, *options: str) -> dict[str, Any]:
    command = [str(path), "app-server", "generate-json-schema", "--out", str(out), *options]
    subprocess.run(command, capture_output=True, check=True)
    wanted = ("ClientRequest", "ServerNotification", "ServerRequest")
    return {name: json.loads((out / f"{name}.json").read_text()) for name in wanted}


def _variants(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        variant["properties"]["method"]["enum"][0]: variant["properties"].get("params", {"type": "null"})
        for variant in schema["oneOf"]
    }


def _members(schema: dict[str, Any], definitions: dict[str, Any]) -> frozenset[str]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    return frozenset(schema.get("properties", ()))

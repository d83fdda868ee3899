"""All that codexd learns from the schema of the Codex at hand, so that a newer Codex needs no newer codexd."""

from msgspec import Struct

from codexd.protocol.gates import Gates, read_gates
from codexd.protocol.request_ids import RequestIds, read_request_ids
from codexd.protocol.schema import Schema

STABLE_FILES = ("ClientRequest.json",)
EXPERIMENTAL_FILES = ("ClientRequest.json", "ClientNotification.json", "ServerNotification.json")
"""The files of each edition that are read."""


class Learnt(Struct, frozen=True):
    """What clients need `experimentalApi` for, and where params name requests."""

    gates: Gates
    request_ids: RequestIds


def read(stable: list[bytes], experimental: list[bytes]) -> Learnt:
    """What there is to learn from `STABLE_FILES` and `EXPERIMENTAL_FILES`, in this order.

    Raises:
        NoSchema: that is not what they are.
    """
    (narrow,) = map(Schema, stable)
    requests, notifications, told = map(Schema, experimental)
    return Learnt(read_gates(narrow, requests), read_request_ids(requests, notifications, told))

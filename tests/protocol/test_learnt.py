"""All that is learnt from the schema of a Codex."""

import json

from codexd.protocol import learnt
from codexd.protocol.gates import Gates
from codexd.protocol.learnt import Learnt
from codexd.protocol.request_ids import RequestIds

ID = {"properties": {"requestId": {"$ref": "#/definitions/RequestId"}}}


def written(**params: object) -> bytes:
    """A file of these methods."""
    messages = [{"properties": {"method": {"enum": [m]}, "params": p}} for m, p in params.items()]
    return json.dumps({"oneOf": messages, "definitions": {}}).encode()


def test_each_file_is_read_for_what_it_tells() -> None:
    """In the order in which the files are named."""
    assert learnt.EXPERIMENTAL_FILES == (
        "ClientRequest.json",
        "ClientNotification.json",
        "ServerNotification.json",
    )
    assert learnt.read(
        [written(old={})], [written(old={}, new=ID), written(note=ID), written(told=ID)]
    ) == Learnt(
        Gates(frozenset({"new"}), {}, frozenset()),
        RequestIds({"new": (("requestId",),), "note": (("requestId",),)}, {"told": (("requestId",),)}, {}),
    )

"""Answers that only present what is known: a mistake in one costs its asker the answer, and nobody else anything.

A decision changes tables. One that fails half-way may leave them wrong for everybody, so its exception ends codexd. To
present something changes nothing, so there an exception is logged with its traceback and answered with -32603.
"""

import logging
from collections.abc import Callable

from codexd.protocol import messages
from codexd.protocol.errors import Code
from codexd.routing.effects import ClientId
from codexd.routing.state import State


def present(state: State, client: ClientId, raw_id: bytes, method: str, result: Callable[[], object]) -> None:
    """Answers a request of this client with what `result` returns. `result` may look at tables and change none."""
    try:
        answer = messages.result(raw_id, result())
    except Exception as error:  # noqa: BLE001 -- this is what the file is for
        state.log(f"codexd could not answer {method}", logging.ERROR, error)
        sentence = f"codexd could not answer {method} because of a mistake of its own; its log says more: codexd logs"
        answer = messages.error(raw_id, Code.INTERNAL_ERROR, sentence)
    state.tell((client,), answer)

"""What is done for one client alone, where a mistake costs that client its connection, and nobody else anything.

Reading what a client sends, which is a library's work for those who speak WebSocket, and writing down for it what it
missed change nothing that others rely on. So there an exception is logged with its traceback and ends that client. A
decision of the core changes tables, which it may leave wrong for everybody: it is never made in here, and its
exception ends codexd.
"""

import logging
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from codexd.routing.effects import ClientId

logger = logging.getLogger(__name__)

SENTENCE = "codexd ends this connection because of a mistake of its own; its log says more: codexd logs"

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


class ClientFailed(Exception):
    """This client can't be served any more; the log says why."""


def alone(
    client: ClientId, doing: str, function: Callable[[*_Arguments], _Result], *arguments: *_Arguments
) -> _Result:
    """What `function` returns, which may change nothing but what is this client's.

    Args:
        doing: what is being done, for the log: "reading what it sends".

    Raises:
        ClientFailed: `function` has raised something; it is logged.
    """
    try:
        return function(*arguments)
    except Exception as error:
        logger.error("client %d is let go of, for %s failed", client, doing, exc_info=error)
        raise ClientFailed from error

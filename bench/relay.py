"""A bare relay: one Codex, one client on a Unix socket, bytes passed on unread. What any broker in trio costs at least.

python -m bench.relay CODEX SOCKET
"""

import subprocess
import sys
from functools import partial

import trio

READ_BYTES = 64 * 1024


async def pump(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream) -> None:
    """Passes on everything, to the end."""
    while chunk := await source.receive_some(READ_BYTES):
        await sink.send_all(chunk)


async def serve(codex: str, path: str) -> None:
    """Serves the first client that connects, until it hangs up."""
    listener = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    await listener.bind(path)
    listener.listen()
    async with trio.open_nursery() as nursery:
        start = partial(
            trio.run_process,
            [codex, "app-server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            check=False,
        )
        process = await nursery.start(start)
        connection, _ = await listener.accept()
        client = trio.SocketStream(connection)
        nursery.start_soon(pump, process.stdout, client)
        await pump(client, process.stdin)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(serve, sys.argv[1], sys.argv[2])

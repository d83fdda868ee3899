"""The doors stay open: for everybody who comes, through every shortage."""

import errno
import itertools
import logging
import os
import resource
import socket
from contextlib import ExitStack

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from codexd.runtime.accept import RETRY_SECONDS, Doors, accept_clients, reserve_of
from codexd.runtime.memory import HEADROOM_BYTES
from tests.runtime.shortage import limited_memory


class TroubledListener(socket.socket):
    """A listening socket whose next `accept`s fail with these errors; 0 is none."""

    def __init__(self, path, errors=()):
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self.bind(str(path))
        self.listen()
        self.errors = list(errors)
        self.calls = 0
        self.lacks_memory = False

    def accept(self):
        """Fails as told, else accepts."""
        self.calls += 1
        if self.lacks_memory:
            raise MemoryError
        code = self.errors.pop(0) if self.errors else 0
        if code:
            raise OSError(code, os.strerror(code))
        return super().accept()


@pytest.fixture
def path(tmp_path):
    """Where the listener is."""
    return tmp_path / "s"


def connect(path):
    """Connects as a client does, without waiting to be accepted."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(str(path))
    return client


@pytest.fixture
def few_descriptors():
    """Sets such a limit that so many more clients can come in; returns it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def leave(clients):
        lowest = os.dup(0)
        os.close(lowest)
        limit = next(n for n in itertools.count(lowest) if n - reserve_of(n) == lowest + clients)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
        return limit

    yield leave
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_every_connection_is_handed_over_ready_for_use(path, nursery):
    """Each comes once, and does not block."""
    with TroubledListener(path) as listener:
        clients = [connect(path) for _ in range(5)]
        welcomed: list[socket.socket] = []
        nursery.start_soon(accept_clients, listener, welcomed.append)
        await wait_all_tasks_blocked()
        assert [connection.getblocking() for connection in welcomed] == [False] * 5
        for ends in (clients, welcomed):
            for end in ends:
                end.close()
        nursery.cancel_scope.cancel()


async def test_shortage_of_descriptors_is_said_once_and_waited_out(path, autojump_clock, nursery, caplog):
    """Ten failures take a second and one line in the log, another one says that it is over."""
    caplog.set_level(logging.INFO)
    shortage = [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, *[errno.EMFILE] * 6]
    with TroubledListener(path, shortage) as listener, connect(path):
        welcomed: list[socket.socket] = []
        nursery.start_soon(accept_clients, listener, welcomed.append)
        with trio.move_on_after(10 * RETRY_SECONDS + 0.05):
            await trio.sleep_forever()
        assert len(welcomed) == 1
        welcomed[0].close()
        assert listener.calls == 11
        nursery.cancel_scope.cancel()
    assert [record.getMessage() for record in caplog.records] == [
        f"no new client can connect for now: {os.strerror(errno.EMFILE)}",
        "clients can connect again",
    ]


@pytest.mark.parametrize(("limit", "reserve"), [(16, 4), (64, 16), (128, 32), (1 << 20, 32)])
def test_a_reserve_is_never_more_than_a_quarter(limit, reserve):
    """Where few descriptors are allowed most are the clients' all the same."""
    assert reserve_of(limit) == reserve


async def test_clients_leave_a_reserve_of_descriptors(path, nursery, autojump_clock, caplog, few_descriptors):
    """Regression: 400 connections took all, and Codex could not be started again. They wait, and come in when others leave."""
    with TroubledListener(path) as listener, ExitStack() as clients:
        for _ in range(5):
            clients.enter_context(connect(path))
        welcomed: list[socket.socket] = []
        limit = few_descriptors(2)
        nursery.start_soon(accept_clients, listener, welcomed.append)
        await trio.sleep(1)
        assert len(welcomed) == 2
        welcomed.pop().close()
        await trio.sleep(1)
        assert len(welcomed) == 2
        assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
            "no new client can connect for now: "
            f"codexd keeps the last {reserve_of(limit)} of its {limit} descriptors (ulimit -n) for itself and Codex"
        ] * 2
        for connection in welcomed:
            connection.close()
        nursery.cancel_scope.cancel()


async def test_a_door_that_is_retired_leaves_the_reserve_too(path, nursery, autojump_clock, few_descriptors):
    """Who waits there comes in one by one, as others leave."""
    welcomed: list[socket.socket] = []
    doors = Doors(welcomed.append)
    nursery.start_soon(doors.run)
    with TroubledListener(path) as listener, connect(path), connect(path):
        few_descriptors(1)
        doors.open(listener)
        doors.retire(listener)
        await trio.sleep(1)
        assert len(welcomed) == 1
        welcomed.pop().close()
        await trio.sleep(1)
        assert len(welcomed) == 1
        welcomed.pop().close()
        await trio.sleep(1)
        assert listener.fileno() == -1
    nursery.cancel_scope.cancel()


async def test_without_a_limit_nothing_is_kept(path, nursery, monkeypatch):
    """macOS may have none."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda number: unlimited)
    with TroubledListener(path) as listener, connect(path):
        welcomed: list[socket.socket] = []
        nursery.start_soon(accept_clients, listener, welcomed.append)
        await wait_all_tasks_blocked()
        welcomed.pop().close()
        nursery.cancel_scope.cancel()


async def test_every_shortage_is_said(path, autojump_clock, nursery, caplog):
    """A second one, an hour after the first, is news again."""
    with TroubledListener(path, [errno.EMFILE, 0, errno.EMFILE]) as listener, connect(path), connect(path):
        welcomed: list[socket.socket] = []
        nursery.start_soon(accept_clients, listener, welcomed.append)
        await trio.sleep(1)
        assert len(welcomed) == 2
        for connection in welcomed:
            connection.close()
        nursery.cancel_scope.cancel()
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 2


async def test_without_memory_clients_wait(path, autojump_clock, nursery, caplog):
    """As they do without descriptors; also when there was too little for the connection itself."""
    caplog.set_level(logging.INFO)
    with TroubledListener(path) as listener, connect(path), limited_memory(0) as limited:
        welcomed: list[socket.socket] = []
        nursery.start_soon(accept_clients, listener, welcomed.append)
        await trio.sleep(1)
        assert (welcomed, listener.calls) == ([], 0)
        limited.free = HEADROOM_BYTES
        listener.lacks_memory = True
        await trio.sleep(1)
        assert listener.calls > 0
        assert welcomed == []
        listener.lacks_memory = False
        await trio.sleep(1)
        (connection,) = welcomed
        connection.close()
        nursery.cancel_scope.cancel()
    assert [record.getMessage() for record in caplog.records if record.name == "codexd.runtime.accept"] == [
        f"no new client can connect for now: {os.strerror(errno.ENOMEM)}",
        "clients can connect again",
    ]


async def test_connection_that_is_gone_before_it_was_accepted_is_passed_over(path, nursery):
    """The next one is served all the same."""
    with TroubledListener(path, [errno.ECONNABORTED, errno.EAGAIN]) as listener, connect(path):
        welcomed: list[socket.socket] = []
        nursery.start_soon(accept_clients, listener, welcomed.append)
        await wait_all_tasks_blocked()
        assert len(welcomed) == 1
        welcomed[0].close()
        nursery.cancel_scope.cancel()


async def test_any_other_error_ends_the_server(path):
    """A listener that is broken for good is not retried for ever in silence."""
    with TroubledListener(path, [errno.EINVAL]) as listener, connect(path):
        with pytest.raises(OSError, match="Invalid argument"):
            await accept_clients(listener, lambda connection: connection.close())


async def test_a_door_can_be_replaced_while_others_come_in(path, tmp_path, nursery, autojump_clock):
    """Who waits at the old one is taken in through every shortage, and the new one is open at once."""
    welcomed: list[socket.socket] = []
    doors = Doors(welcomed.append)
    nursery.start_soon(doors.run)
    with TroubledListener(path) as old, TroubledListener(tmp_path / "new") as new:
        doors.open(old)
        await wait_all_tasks_blocked()
        old.errors = [errno.EMFILE]
        with connect(path), connect(path), connect(tmp_path / "new"):
            doors.retire(old)
            doors.open(new)
            await wait_all_tasks_blocked()
            assert len(welcomed) == 1, "the one at the new door"
            await trio.sleep(2 * RETRY_SECONDS)
            assert len(welcomed) == 3
            assert old.fileno() == -1
            assert not any(connection.getblocking() for connection in welcomed)
            for connection in welcomed:
                connection.close()
        nursery.cancel_scope.cancel()


async def test_a_door_may_be_retired_before_anybody_was_let_in(path, nursery):
    """One that was opened and retired in the same instant is never looked at."""
    doors = Doors(lambda connection: connection.close())
    nursery.start_soon(doors.run)
    with TroubledListener(path) as listener:
        doors.open(listener)
        doors.retire(listener)
        await wait_all_tasks_blocked()
        assert listener.fileno() == -1
    nursery.cancel_scope.cancel()

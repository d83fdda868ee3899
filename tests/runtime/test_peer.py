"""Nobody but the user's own processes is listened to."""

import os
import struct

import pytest

from codexd.runtime import peer
from codexd.runtime.peer import Credentials, admitted
from tests.fakes import FakeCredentials, linux_credentials


async def test_own_process_is_admitted_with_its_pid(connect):
    """The kernel's word is taken, from a real connection."""
    ours, _far = connect()
    assert admitted(ours, os.getuid()) == Credentials(os.getpid(), os.getuid())


def test_another_user_is_refused_root_too(caplog):
    """Only the same user may in, and a refusal is logged with who it was."""
    assert admitted(linux_credentials(pid=77, uid=0), uid=1000) is None
    assert admitted(linux_credentials(pid=78, uid=1001), uid=1000) is None
    assert [record.getMessage() for record in caplog.records] == [
        "refused a client of user 0, pid 77",
        "refused a client of user 1001, pid 78",
    ]


def test_pid_of_another_namespace_is_unknown():
    """Where the system tells no pid, there is none, rather than 0."""
    assert admitted(linux_credentials(pid=0, uid=1000), uid=1000) == Credentials(None, 1000)


def test_peer_that_is_gone_already_is_refused():
    """Nobody's credentials are no reason to fail."""
    assert admitted(FakeCredentials({}), uid=1000) is None


@pytest.mark.parametrize(("pid", "known"), [(77, 77), (0, None)])
def test_credentials_as_macos_lays_them_out(pid, known):
    """`struct xucred` and LOCAL_PEERPID, as xnu's headers have them."""
    xucred = struct.pack("=IIh2x16I", 0, 501, 1, 20, *[0] * 15)
    assert len(xucred) == 76
    kernel = {(0, 1): xucred, (0, 2): struct.pack("=i", pid)}
    assert peer._darwin_peer(FakeCredentials(kernel)) == Credentials(known, 501)

import pytest

from codexctl.reach import check_home, reach
from codexd.protocol.errors import Unavailable


def test_it_reaches_who_listens(codexd, monkeypatch):
    """At the default socket; one that is named by hand may serve any CODEX_HOME, unless that is named too."""
    connection, _, _ = reach(None, start=False)
    with connection:
        assert connection.getpeername() == str(codexd.path)
    for path, environ, named in (
        (None, {}, False),
        (str(codexd.path), {}, True),
        (str(codexd.path), {"CODEX_HOME": "/x"}, False),
    ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        connection, where, meant = reach(path, start=False)
        connection.close()
        assert (where, meant) == (str(codexd.path), named)


def test_where_nobody_listens_it_may_start_one(place, monkeypatch):
    """When it may not, it says where it looked and what would help."""
    with pytest.raises(Unavailable, match=r"no codexd listens at .*codexd\.sock; `codexd start` starts one"):
        reach(None, start=False)
    monkeypatch.setattr("codexctl.start.own_command", lambda: ["/bin/false"])
    with pytest.raises(Unavailable, match="exited with 1"):
        reach(None, start=True)
    monkeypatch.setattr("codexctl.start.own_command", lambda: ["/bin/true"])
    with pytest.raises(Unavailable, match="no codexd listens at"):
        reach(None, start=True)


def test_another_codex_home_is_refused(place):
    """Threads and accounts are those of a CODEX_HOME; who named the socket wants it as it is."""
    own = str(place / ".codex")
    for served, named in ((own, False), (None, False), ("/other", True)):
        check_home("/the.sock", served, named=named)
    with pytest.raises(
        Unavailable, match=rf"^the codexd at /the\.sock serves CODEX_HOME /other, and yours is {own}; "
    ):
        check_home("/the.sock", "/other", named=False)


def test_in_codexs_sandbox_it_starts_nothing_and_says_where_it_is(place, monkeypatch):
    """A codexd that is started there ends with the command; `Operation not permitted` tells nobody what is wrong."""
    monkeypatch.setenv("CODEX_SANDBOX", "seatbelt")
    monkeypatch.setattr("codexctl.start.own_command", lambda: pytest.fail("it is not to be started"))
    with pytest.raises(
        Unavailable, match=r"^this is a command in Codex's sandbox, and a codexd that is started here"
    ):
        reach(None, start=True)
    with pytest.raises(
        Unavailable, match=r"^this is a command in Codex's sandbox, which codexd does not serve: no codexd"
    ):
        reach(None, start=False)

    def forbidden(path):
        raise Unavailable(f"cannot connect to {path}: Operation not permitted")

    monkeypatch.setattr("codexctl.reach.connected", forbidden)
    with pytest.raises(Unavailable, match="sandbox, which codexd does not serve: cannot connect to"):
        reach(None, start=True)

import json

from codexd.protocol.binary import identity
from tests.codexctl.standin import Refused


def test_status_is_what_codexd_says_of_itself(codexd, codexctl, capsys):
    """Without a handshake, so in every state of Codex; as JSON it is codexd's own answer."""
    assert codexctl("status", "--json") == 0
    assert json.loads(capsys.readouterr().out) == codexd.answers["codexd/status"]
    assert [request["method"] for request in codexd.received] == ["codexd/status"]


def test_status_for_people(codexd, codexctl, capsys):
    """Who runs where, since when, and how busy; why Codex is not there, if it is not."""
    assert codexctl("status") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("codexd 0.1.0, pid 11, up ")
    assert lines[0].endswith(f", at {codexd.path}")
    assert lines[1].startswith("Codex 0.163.0 ready, pid 12, up ")
    assert lines[1].endswith(", 0 restarts")
    assert lines[2:] == [
        "1 client, 2 threads, 0 approvals waiting",
        "timeline on: 123 events on disk (3.2 MiB), 2.5 KiB in memory, the last is 1795229617000123",
    ]
    codexd.answers["codexd/status"]["codex"] |= {
        "state": "exited",
        "pid": None,
        "version": None,
        "startedAt": None,
        "reason": "Codex was killed\x1b[2J",
    }
    assert codexctl("status") == 0
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "Codex (version unknown) exited, 0 restarts",
        "  Codex was killed\\x1b[2J",
    ]
    codexd.answers["codexd/status"]["codex"] |= {"state": "ready", "schemaProblem": "no\x1b[2Jschema"}
    assert codexctl("status") == 0
    assert (
        capsys.readouterr().out.splitlines()[2]
        == "  no\\x1b[2Jschema; experimental methods are not held back"
    )


def test_a_login_that_codex_does_not_have_yet_is_shown(codexd, codexctl, capsys):
    """With what becomes of it."""
    codexd.answers["codexd/status"]["codex"]["loginIsStale"] = True
    assert codexctl("status") == 0
    assert capsys.readouterr().out.splitlines()[2] == (
        "  the login has changed, and is taken up with a new Codex as soon as nothing is under way"
    )


def test_a_codex_that_was_updated_is_said(codexd, codexctl, capsys, place):
    """The one that runs is older then."""
    binary = place / "codex"
    binary.write_text("1")
    codexd.answers["codexd/status"]["codex"] |= {
        "binary": str(binary),
        "binaryIdentity": identity(str(binary)),
    }
    assert codexctl("status") == 0
    assert "updated" not in capsys.readouterr().out
    binary.write_text("22")
    assert codexctl("status") == 0
    assert capsys.readouterr().out.splitlines()[2] == (
        f"  its program {binary} was updated or removed since; to run the current one: codexd restart"
    )


def test_quarantined_threads_are_named(codexd, codexctl, capsys):
    """By their ids, for `codexctl threads release`."""
    codexd.answers["codexd/status"]["quarantined"] = ["T", "U"]
    assert codexctl("status") == 0
    assert capsys.readouterr().out.splitlines()[2] == "  2 threads quarantined: T, U"


def test_a_timeline_that_is_not_well_is_shown(codexd, codexctl, capsys):
    """What is on disk does not count then; why, and the way out, are codexd's words."""
    timeline = codexd.answers["codexd/status"]["timeline"]
    for changes, shown in (
        (
            {"state": "off", "events": 0, "bytes": 0, "memoryBytes": 12},
            ["timeline off: 12 B in memory, the last is 7"],
        ),
        (
            {"state": "degraded", "problem": "the disk is full\x1b[2J", "memoryBytes": 2 << 30},
            ["timeline degraded: 2.0 GiB in memory, the last is 7", "  the disk is full\\x1b[2J"],
        ),
    ):
        timeline |= changes | {"lastSeq": 7}
        assert codexctl("status") == 0
        assert capsys.readouterr().out.splitlines()[3:] == shown


def test_nothing_is_started_to_be_looked_at(place, codexctl, capsys):
    """Exit 3 and the way out."""
    for verb in (["status"], ["clients"], ["approvals"], ["approvals", "show", "1"], ["interrupt"]):
        assert codexctl(*verb) == 3
        assert "`codexd start` starts one" in capsys.readouterr().err


def test_clients_are_a_table(codexd, codexctl, capsys):
    """Who is connected, since when, and whether somebody reads too slowly."""
    one = {
        "id": 1,
        "name": "editor",
        "version": "2",
        "pid": 77,
        "cwd": "/work",
        "connectedAt": 1795229000.0,
        "threads": ["t1", "t2"],
        "inFlight": 3,
        "outboxBytes": 10,
        "lagging": True,
    }
    other = one | {
        "id": 2,
        "name": None,
        "version": None,
        "pid": None,
        "cwd": None,
        "threads": [],
        "lagging": False,
    }
    codexd.answers["codexd/clients/list"] = {"clients": [one, other]}
    assert codexctl("clients") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["ID", "NAME", "PID", "UP", "IN", "FLIGHT", "OUTBOX", "DIRECTORY", "THREADS"]
    assert [row[:4] for row in rows[1:]] == [["1", "editor", "2", "77"], ["2", "-", "-", rows[2][3]]]
    assert rows[1][-5:] == ["10", "(lagging)", "/work", "t1", "t2"]
    assert codexctl("clients", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"clients": [one, other]}


def test_an_error_of_codexds_is_said(codexd, codexctl, capsys):
    """Exit 1 with its words."""
    codexd.answers["codexd/clients/list"] = Refused(-32600, "no such method")
    assert codexctl("clients") == 1
    assert capsys.readouterr().err == "codexctl: no such method\n"

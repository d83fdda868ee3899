"""The soak, for a few seconds: it runs, it compares, and a thing that is wrong is seen."""

import pytest

from tests.e2e.harness import World
from tests.soak.course import Course
from tests.soak.history import History
from tests.soak.recording import RecordingClient

pytestmark = pytest.mark.e2e


def test_a_short_one(world: World) -> None:
    """Clients come and go, Codex dies, codexd dies, and what everybody was sent is what the timeline has."""
    assert Course(world, seconds=5, seed=4711).go()


def test_what_is_wrong_is_seen(world: World) -> None:
    """An event that somebody was not sent, was sent twice, or was sent another way; one that was never kept."""
    world.start_daemon()
    client = world.connect_as(RecordingClient)
    client.initialize()
    client.follow("all", 0)
    client.wait_turn(client.start_turn(client.start_thread(cwd=str(world.project)), "hello"))
    newest = client.call("codexd/status")["timeline"]["lastSeq"]
    history = History(world)
    received = client.received
    history.check(received)
    assert (history.problems, list(received.seqs)) == ([], list(history.seqs))
    seqs, sums = received.seqs[:], received.sums[:]

    def said_of(change: str) -> list[str]:
        received.seqs, received.sums = seqs[:], sums[:]
        match change:
            case "missing":
                del received.seqs[3], received.sums[3]
            case "twice":
                received.seqs.insert(3, seqs[3])
                received.sums.insert(3, sums[3])
            case "another":
                received.sums[3] += 1
            case "unknown":
                received.seqs.append(newest + 1)
                received.sums.append(1)
            case _:
                received.upto = newest
                del received.seqs[-1], received.sums[-1]
        history.problems.clear()
        history.check(received)
        return [problem.partition(":")[0] for problem in history.problems]

    assert {
        change: said_of(change) for change in ("missing", "twice", "another", "unknown", "unfinished")
    } == {
        "missing": ["all was not sent 1 events"],
        "twice": ["all was sent again, or too late, 1 events"],
        "another": ["all was sent under the number of another event 1 events"],
        "unknown": ["all was sent what is neither in the timeline nor in a gap 1 events"],
        "unfinished": ["all was not sent 1 events"],
    }
    history.close()

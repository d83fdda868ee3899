"""The comparison sees what it is there for: each test breaks a transcript in one way that codexd could."""

import json

import pytest

from tests.conformance.compare import differences
from tests.conformance.noise import Noise
from tests.conformance.player import Asked, Recording
from tests.conformance.transcript import Transcript, transcribe
from tests.e2e.harness_client import Message


class _Silence(Noise):
    """Noise that is not made; ``threads`` are what a test says."""

    def __init__(self, *threads: str) -> None:
        self.threads = set(threads)
        self.shared = False


THREAD = "01a1fcf4-7f03-7d12-9375-e5fa00754759"
OTHER = "01a1fcf4-80bf-7011-9b24-72ccac5fa7ad"
ANSWER: Message = {"id": 1, "result": {"thread": {"id": THREAD}}}


def _note(method: str, thread: str = THREAD, **params: object) -> Message:
    return {"method": method, "params": {"threadId": thread, **params}, "emittedAtMs": 1_795_242_076_466}


def _transcript(*messages: Message, noise: tuple[str, ...] = ()) -> Transcript:
    asked = {json.dumps(id): [Asked(0, "thread/start", {})] for id in (1, 2)}
    return transcribe(Recording(list(messages), asked), "/tmp/world", _Silence(*noise))


GOOD = (_note("warning"), ANSWER, _note("turn/started"), _note("turn/completed"))


def _found(*messages: Message) -> list[str]:
    return [one.text for one in differences([_transcript(*GOOD)], _transcript(*messages))]


def test_the_same_with_other_ids_and_times_is_equal() -> None:
    """Ids and paths count by their order of appearance, times not at all."""
    text = json.dumps(GOOD).replace(THREAD, OTHER).replace("1795242076466", "1795242999999")
    assert _found(*json.loads(text)) == []


@pytest.mark.parametrize(
    "broken",
    [
        GOOD[:-1],
        (*GOOD, GOOD[-1]),
        (GOOD[0], GOOD[1], GOOD[3], GOOD[2]),
        (GOOD[0], GOOD[2], GOOD[1], GOOD[3]),
        (GOOD[0], {**ANSWER, "id": "1"}, *GOOD[2:]),
        (GOOD[0], {"id": 1, "error": {"code": -32600, "message": "no"}}, *GOOD[2:]),
        (GOOD[0], {**ANSWER, "seq": 1}, *GOOD[2:]),
        (*GOOD[:3], _note("turn/completed", OTHER)),
        (*GOOD[:2], _note("turn/started", handle="2:p1"), GOOD[3]),
        (*GOOD, {"method": "codexd/codex/ready", "params": {}}),
    ],
    ids=["lost", "twice", "swapped", "place", "id", "error", "member", "thread", "handle", "own"],
)
def test_what_codexd_could_do_wrong_is_seen(broken: tuple[Message, ...]) -> None:
    """Lost, doubled, swapped, misplaced, under a wrong id, for another thread, with a tag left on a handle."""
    assert len(_found(*broken)) >= 1


def test_a_swap_that_bare_codex_makes_is_none_of_codexd() -> None:
    """The place of an answer, and the order of a stream, may be as in any of several bare runs."""
    swapped = (GOOD[0], GOOD[2], GOOD[1], GOOD[3])
    assert differences([_transcript(*GOOD), _transcript(*swapped)], _transcript(*swapped)) == []


def test_a_swap_is_said_to_be_of_place_and_a_loss_is_not() -> None:
    """Only the former is tried again: a message that is lost once is lost."""
    [swapped] = differences([_transcript(*GOOD)], _transcript(GOOD[0], GOOD[2], GOOD[1], GOOD[3]))
    [lost] = differences([_transcript(*GOOD)], _transcript(*GOOD[:-1]))
    assert (swapped.of_place, lost.of_place) == (True, False)


def test_the_place_of_a_status_is_tried_again_and_its_loss_is_not() -> None:
    """Codex tells a status from a task of its own, so under load it stands now here, now there."""
    status = _note("thread/status/changed", status={"type": "idle"})
    begun = {"method": "thread/started", "params": {"thread": {"id": THREAD}}}
    bare = [_transcript(begun, *GOOD, status)]
    [swapped] = differences(bare, _transcript(begun, *GOOD[:3], status, GOOD[3]))
    [lost] = differences(bare, _transcript(begun, *GOOD))
    assert (swapped.of_place, lost.of_place) == (True, False)


def test_what_an_interrupted_turn_has_used_may_be_told_behind_its_end_or_not() -> None:
    """Codex may be done with the thread before it comes to that; of any other turn it is compared."""
    ended = [_note("turn/completed", turn={"id": "u", "status": how}) for how in ("interrupted", "completed")]
    usage = _note("thread/tokenUsage/updated", turnId="u")
    found = [differences([_transcript(*GOOD, end, usage)], _transcript(*GOOD, end)) for end in ended]
    assert [len(one) for one in found] == [0, 1]


def test_what_everybody_hears_of_anothers_thread_is_left_out() -> None:
    """Codex tells every connection of the status of every thread."""
    heard = _note("thread/status/changed", OTHER)
    assert differences([_transcript(*GOOD)], _transcript(*GOOD, heard, noise=(OTHER,))) == []


def test_what_only_another_client_may_hear_is_a_failure() -> None:
    """An item of a thread that this client has never followed."""
    with pytest.raises(AssertionError, match="another client's"):
        _transcript(*GOOD, _note("item/started", OTHER), noise=(OTHER,))


def test_numbers_of_codexs_requests_are_names_and_so_is_what_resolves_them() -> None:
    """Their ids differ; that a resolution is of the request that was asked does not."""
    asked = {**_note("item/fileChange/requestApproval"), "id": 0}
    bare = _transcript(*GOOD, asked, _note("serverRequest/resolved", requestId=0))
    good = _transcript(*GOOD, {**asked, "id": 77}, _note("serverRequest/resolved", requestId=77))
    bad = _transcript(*GOOD, {**asked, "id": 77}, _note("serverRequest/resolved", requestId=0))
    assert differences([bare], good) == []
    assert len(differences([bare], bad)) == 1


def test_how_much_of_a_commands_output_is_told_on_its_way_is_chance() -> None:
    """None, some, or all of it; but not something else."""
    first, second, other = (
        _note("item/commandExecution/outputDelta", itemId="c", delta=text) for text in ("one", "two", "three")
    )
    for ours, is_same in (
        ((), True),
        ((first,), True),
        ((first, second), True),
        ((second,), False),
        ((other,), False),
    ):
        bare, through = (_transcript(*GOOD[:3], *told, GOOD[3]) for told in ((first, second), ours))
        assert (differences([bare], through) == []) is is_same


def test_answers_that_have_changed_places_are_tried_again() -> None:
    """Codex answers two requests from two tasks; codexd must not do so each time."""
    first: Message = {"id": 1, "result": {"exitCode": 1}}
    second: Message = {"id": 2, "result": {}}
    [swapped] = differences([_transcript(first, second)], _transcript(second, first))
    [lost] = differences([_transcript(first, second)], _transcript(first))
    assert (swapped.of_place, lost.of_place) == (True, False)

import json

import pytest

from codexctl.client import Message
from codexctl.transcript import Transcript
from tests.codexctl.standin import (
    THREAD,
    TURN,
    command,
    completed,
    event,
    file_change,
    message,
    saying,
    started,
    turn,
    user_message,
)


class Recorder:
    """A view that keeps what it is told: pieces of a reply joined, notes as `# note`."""

    def __init__(self):
        self.told: list[str] = []
        self._is_saying = False

    def reply(self, text):
        if self._is_saying:
            self.told[-1] += text
        else:
            self.told.append(text)
        self._is_saying = True

    def end_reply(self):
        self._is_saying = False

    def abandon_reply(self):
        self._is_saying = False
        self.told.append("# void")

    def note(self, text, *styles):
        self.told.append(f"# {text}")
        self._is_saying = False


@pytest.fixture
def view():
    return Recorder()


def take(transcript, *events):
    for one in events:
        transcript.take(Message(one["method"], one["params"], None, json.dumps(one).encode()))


def completing(item):
    return event("item/completed", item=item)


def starting(item):
    return event("item/started", item=item)


def test_a_streamed_message_is_told_once(view):
    """Its end repeats its text, and adds only what was not streamed."""
    take(Transcript(THREAD, view), *saying("He", "llo"))
    assert view.told == ["Hello"]
    take(
        Transcript(THREAD, view),
        starting(message("")),
        event("item/agentMessage/delta", itemId="msg_1", delta="He"),
        completing(message("Hello")),
    )
    assert view.told == ["Hello", "Hello"]


def test_a_message_that_was_not_streamed_is_told_at_its_end(view):
    """Some providers send no deltas."""
    take(Transcript(THREAD, view), starting(message("")), completing(message("Hello")))
    assert view.told == ["Hello"]


def test_messages_are_told_apart(view):
    """One that is cut off by the next, by a prompt or by the end of the turn, is over."""
    transcript = Transcript(THREAD, view, detailed=True)
    take(
        transcript,
        *saying("one", item_id="a")[:2],
        *saying("two", item_id="b")[:2],
        starting(user_message("steer")),
        *saying("three"),
        completed(),
        *saying("four", item_id="c")[:2],
    )
    assert view.told == ["one", "two", "# > steer", "three", "four"]


def test_a_message_that_began_before_we_came_is_told_whole(view):
    """At its end: a beginning that is missing would not be noticed."""
    take(
        Transcript(THREAD, view),
        event("item/agentMessage/delta", itemId="msg_1", delta=" you"),
        completing(message("Hello you")),
    )
    assert view.told == ["Hello you"]


def test_a_note_in_the_middle_of_a_message_takes_nothing_from_it(view):
    """The message goes on after it and is not told again at its end."""
    first, second = (event("item/agentMessage/delta", itemId="msg_1", delta=delta) for delta in ("He", "llo"))
    warning = event("warning", message="mind")
    take(
        Transcript(THREAD, view), starting(message("")), first, warning, second, completing(message("Hello"))
    )
    assert view.told == ["He", "# warning: mind", "llo"]


def test_commentary_is_no_reply(view):
    """What the model says along the way is a note, whole and not streamed."""
    take(
        Transcript(THREAD, view),
        *saying("looking ", "around", phase="commentary"),
        *saying("done", item_id="b"),
    )
    assert view.told == ["# looking around", "done"]


def test_other_threads_are_not_told(view):
    """A sub-agent's words are not the reply."""
    take(Transcript("another", view), started(), *saying("Hello"), completed())
    assert view.told == []


def test_a_warning_to_all_threads_is_told(view):
    """codexd's own name no thread, in as many words."""
    take(Transcript(THREAD, view), {"method": "warning", "params": {"threadId": None, "message": "mind"}})
    assert view.told == ["# warning: mind"]


def test_what_is_done_is_told_in_a_line(view):
    """Commands without their shell and with what went wrong, files, tools, agents, searches."""
    take(
        Transcript(THREAD, view),
        starting(command()),
        completing(command("completed", exitCode=0, aggregatedOutput="hi\n")),
        starting(command(item_id="c2", commandActions=[])),
        completing(command("failed", item_id="c2", exitCode=3)),
        completing(command("failed", item_id="c3")),
        completing(command("declined", item_id="c4")),
        completing(file_change("completed", "f1")),
        completing(file_change("declined", "f2")),
        starting({"type": "mcpToolCall", "id": "t1", "server": "s", "tool": "t", "status": "inProgress"}),
        completing({"type": "mcpToolCall", "id": "t1", "status": "failed", "error": {"message": "no"}}),
        starting({"type": "collabAgentToolCall", "id": "a1", "tool": "spawnAgent", "prompt": None}),
        completing({"type": "reasoning", "id": "r1", "summary": ["thinking"]}),
        completing({"type": "reasoning", "id": "r2", "summary": []}),
        completing({"type": "plan", "id": "p1", "text": "the plan"}),
        completing({"type": "webSearch", "id": "w1", "query": "weather"}),
        completing({"type": "contextCompaction", "id": "x1"}),
        completing({"type": "imageView", "id": "i1"}),
    )
    assert view.told == [
        "# $ echo hi",
        "# $ /bin/bash -c 'echo hi'",
        "#   exit code 3",
        "#   failed",
        "#   declined",
        "# add /project/new.txt",
        "# add /project/new.txt (declined)",
        "# tool s.t",
        "#   failed: no",
        "# agent: spawnAgent",
        "# thinking",
        "# the plan",
        "# searched the web: weather",
        "# the conversation so far was compacted",
    ]


def test_a_conversation_is_told_in_detail(view):
    """What others typed, and the end of what commands put out."""
    transcript = Transcript(THREAD, view, detailed=True)
    transcript.own_prompts.add("mine")
    output = "".join(f"{number}\n" for number in range(10))
    picture = {"type": "localImage", "path": "/p.png"}
    take(
        transcript,
        starting(user_message("mine", "u1", "mine")),
        starting(user_message("theirs\nin two lines", "u2", "other")),
        completing(user_message("theirs\nin two lines", "u2", "other")),
        starting(user_message("", "u3") | {"content": [picture]}),
        completing(command("completed", aggregatedOutput=output)),
        completing(command("completed", item_id="c2", aggregatedOutput="short")),
    )
    assert view.told == [
        "# > theirs\n> in two lines",
        "# > [localImage /p.png]",
        "#   …\n" + "\n".join(f"  {number}" for number in range(2, 10)),
        "#   short",
    ]


def test_a_turn_is_known_while_it_runs_and_afterwards(view):
    """`turn` is the one that runs; another one's end does not end it."""
    transcript = Transcript(THREAD, view)
    take(transcript, started())
    assert transcript.turn == TURN
    take(transcript, completed(turn_id="another"))
    assert transcript.turn == TURN
    take(transcript, completed())
    assert transcript.turn is None
    assert {*transcript.turns} == {TURN, "another"}


def test_how_a_turn_ended_is_told(view):
    """Why it failed, with the details; that it was interrupted."""
    error = {"message": "no luck", "additionalDetails": "at all"}
    take(
        Transcript(THREAD, view),
        completed("failed", error=error),
        completed("failed", "u2", error=None),
        completed("interrupted", "u3"),
    )
    assert view.told == [
        "# the turn failed: no luck (at all)",
        "# the turn failed: Codex does not say why",
        "# the turn was interrupted",
    ]


def test_what_goes_wrong_is_told_once(view):
    """A retry when it happens; a failure with the end of its turn."""
    take(
        Transcript(THREAD, view),
        event("error", error={"message": "stream lost"}, willRetry=True),
        event("error", error={"message": "stream lost"}, willRetry=False),
        event("guardianWarning", message="careful"),
        {"method": "configWarning", "params": {"summary": "odd", "details": "line 3"}},
        {"method": "configWarning", "params": {"summary": "odd", "details": None}},
        event("model/rerouted", toModel="other"),
        {"method": "codexd/codex/exited", "params": {"pid": 1, "reason": "killed"}},
        {"method": "codexd/codex/ready", "params": {"pid": 2}},
        {"method": "account/rateLimits/updated", "params": {}},
    )
    assert view.told == [
        "# stream lost (Codex tries again)",
        "# warning: careful",
        "# warning: odd (line 3)",
        "# warning: odd",
        "# the model is other now",
        "# Codex ended: killed",
        "# Codex is back",
    ]


@pytest.mark.parametrize("again", ["msg_1", "msg_2"])
def test_a_retry_makes_what_was_said_void(view, again):
    """The next attempt is told whole, whatever Codex calls it (0.163 and 0.171 take the id that the model gives)."""
    take(
        Transcript(THREAD, view),
        *saying("half ", "an ans")[:-1],
        event("error", error={"message": "Reconnecting... 1/5"}, willRetry=True),
        *saying("the whole ", "answer", item_id=again),
    )
    assert view.told == [
        "half an ans",
        "# void",
        "# Reconnecting... 1/5 (the reply begins anew)",
        "the whole answer",
    ]


def test_the_plan_is_told_step_by_step(view):
    """With a mark for what is done and what is under way."""
    steps = [
        {"step": "a", "status": "completed"},
        {"step": "b", "status": "inProgress"},
        {"step": "c", "status": "pending"},
    ]
    transcript = Transcript(THREAD, view)
    take(transcript, event("turn/plan/updated", plan=steps), event("turn/plan/updated", plan=[]))
    assert view.told == ["# plan:\n✓ a\n→ b\n  c"]


@pytest.mark.parametrize("how", ["archived", "deleted", "closed"])
def test_the_end_of_the_thread_is_known(view, how):
    """There is nothing to follow any more."""
    transcript = Transcript(THREAD, view)
    take(transcript, event(f"thread/{how}"))
    assert (transcript.ended, view.told) == (how, [f"# the thread was {how}"])


def test_a_muted_transcript_begins_with_our_own_prompt(view):
    """On a busy thread the reply is what is said after the prompt was taken in."""
    transcript = Transcript(THREAD, view)
    transcript.own_prompts.add("mine")
    transcript.is_muted = True
    take(
        transcript,
        *saying("to somebody else"),
        starting(user_message("mine", "u1", "mine")),
        *saying("to me", item_id="msg_2"),
    )
    assert view.told == ["to me"]
    assert transcript.last_message == "to me"


def test_a_prompt_that_a_turn_took_in_too_late_is_known(view):
    """It stands in the turn, the turn completes, and nothing was said or done about it."""
    transcript = Transcript(THREAD, view)
    transcript.own_prompts |= {"first", "late", "later"}

    def prompt(name):
        return starting(user_message("x", f"u-{name}", name))

    take(
        transcript,
        prompt("first"),
        *saying("Hello"),
        prompt("late"),
        prompt("other"),
        prompt("later"),
        completed(),
    )
    assert transcript.unanswered == ["late", "later"]


def test_a_prompt_of_a_turn_that_did_not_complete_is_nothing_to_repeat(view):
    """Somebody interrupted it, or it failed."""
    transcript = Transcript(THREAD, view)
    transcript.own_prompts.add("mine")
    take(transcript, starting(user_message("x", "u1", "mine")), completed("interrupted"), completed())
    assert transcript.unanswered == []


def test_the_history_is_not_told_again_by_the_events(view):
    """Finished items come from the history, open ones from the events that follow."""
    transcript = Transcript(THREAD, view, detailed=True)
    transcript.history(
        [
            turn("interrupted", "t0", items=[user_message("before", "u0")]),
            turn(
                "inProgress",
                items=[
                    user_message("hello"),
                    message("Hi"),
                    command("completed", item_id="c0", exitCode=1),
                    file_change("completed", "f0"),
                    command(),
                ],
            ),
        ]
    )
    assert transcript.turn == TURN
    take(
        transcript,
        starting(user_message("hello")),
        *saying("Hi"),
        starting(command("completed", item_id="c0")),
        starting(command()),
        completing(command("completed", exitCode=2)),
    )
    assert view.told == [
        "# > before",
        "# the turn was interrupted",
        "# > hello",
        "Hi",
        "# $ echo hi",
        "#   exit code 1",
        "# add /project/new.txt",
        "# $ echo hi",
        "#   exit code 2",
    ]


def test_open_items_are_kept_for_who_is_asked_about_them(view):
    """The diff of a file change is in its item, and gone when it is done."""
    transcript = Transcript(THREAD, view)
    take(transcript, starting(file_change()))
    assert transcript.items["call_1"]["changes"][0]["path"] == "/project/new.txt"
    take(transcript, completing(file_change("completed")))
    assert transcript.items == {}


def test_a_review_that_has_ended_runs_no_more(view):
    """It begins under one id and ends under another: whoever had attached to the thread steered a turn that was over."""
    transcript = Transcript(THREAD, view)
    beginning = turn("inProgress", "begun", rootTurnId="review")
    take(transcript, {"method": "turn/started", "params": {"threadId": THREAD, "turn": beginning}})
    take(transcript, completed(turn_id="review"))
    assert transcript.turn is None
    assert view.told == []


def test_a_review_that_is_over_was_not_interrupted(view):
    """Codex's history has it as two turns, and calls the first one so."""
    transcript = Transcript(THREAD, view)
    for state in ("interrupted", "inProgress"):
        transcript.history(
            [turn(state, "begun", rootTurnId="review"), turn("completed", "review", rootTurnId="review")]
        )
        assert transcript.turn is None
        assert view.told == []


def test_a_review_that_runs_is_a_turn_that_runs(view):
    """Its second id comes with its end."""
    transcript = Transcript(THREAD, view)
    transcript.history([turn("inProgress", "begun", rootTurnId="review")])
    assert transcript.turn == "begun"
    take(transcript, completed(turn_id="review"))
    assert transcript.turn is None

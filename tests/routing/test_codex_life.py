"""What happens to everybody when Codex starts, is ready, dies, or is to end."""

from typing import Any

import msgspec
import pytest

from codexd.protocol.catalogue import SAFE_TO_RETRY
from codexd.protocol.writer_lock import ways_out
from codexd.routing.effects import PauseReading, ResumeReading, StartCodex, StopCodex, ToClients
from tests.routing.driver import (
    FIRST_SERVER_REQUEST as FIRST,
    GREETING,
    IDENTITY,
    INTRODUCTION,
    OVERLOADED,
    REMOTE_STATUS,
    START,
    Driver,
    codex,
    to,
    user_agent,
)

REASON = "Codex was killed by SIGKILL"
T = {"threadId": "T"}
ERROR = {"message": REASON, "codexErrorInfo": None, "additionalDetails": None}
FAILED: dict[str, Any] = {
    "id": "u", "items": [], "itemsView": "notLoaded", "status": "failed", "error": ERROR,
    "startedAt": None, "completedAt": int(START), "durationMs": None,
}  # fmt: skip
DOWN = (
    f"Codex died 5 times within a minute and is left down ({REASON}); "
    "`codexd start` or the next `codexctl send` tries again, `codexd logs` shows what it said"
)
MARKER = codex(id=34, method="thread/loaded/list", params={"limit": 1})
GONE = "no rollout found for thread id T"


def unavailable(message: str, reason: str, safe: bool) -> dict[str, Any]:
    return {"code": -32050, "message": message, "data": {"reason": reason, "safeToRetry": safe}}


def under_way(method: str, *, reason: str = "codexExited", why: str = REASON) -> dict[str, Any]:
    """The error for a request that Codex had."""
    return unavailable(f"{why}, while {method} was under way", reason, method in SAFE_TO_RETRY)


def resume(number: int, thread: str = "T") -> Any:
    return codex(id=number, method="thread/resume", params={"threadId": thread, "excludeTurns": True})


def left_down(driver: Driver) -> list[Any]:
    """Codex dies as often as it may; what the last death leads to."""
    effects = []
    while not driver.router._state.life.is_left_down:
        effects = driver.dies(REASON)
        driver.wait(3)
    return effects


def test_codexd_introduces_itself_once_for_all() -> None:
    """As itself, with what clients may want, and without what costs every request something."""
    driver = Driver()
    assert driver.start() == [StartCodex(1)]
    assert driver.spawned() == [codex(id=1, method="initialize", params=INTRODUCTION)]
    assert driver.greets(1) == []
    assert driver.logged[-1].message == "Codex 0.163.0 is ready, pid 4001"
    assert (driver.router.ready(), driver.router.down_reason()) == (True, None)


def test_its_name_and_attestation_are_settings() -> None:
    """The name becomes Codex's originator for everybody."""
    identity = {name: getattr(IDENTITY, name) for name in IDENTITY.__struct_fields__}
    driver = Driver(type(IDENTITY)(**identity | {"client_name": "mine", "request_attestation": True}))
    driver.start()
    capabilities = INTRODUCTION["capabilities"] | {"requestAttestation": True}
    info = INTRODUCTION["clientInfo"] | {"name": "mine"}
    assert driver.spawned() == [
        codex(id=1, method="initialize", params={"clientInfo": info, "capabilities": capabilities})
    ]


@pytest.mark.parametrize(
    ("agent", "version"),
    [("x/1.2.3-alpha (y)", "1.2.3-alpha"), ("x/1.2.3", "1.2.3"), ("what", None), (None, None)],
)
def test_its_version_is_read_from_its_greeting(agent: Any, version: str | None) -> None:
    """For `status`; where it says none, there is none."""
    driver = Driver()
    driver.start()
    driver.spawned()
    driver.says(id=1, result=GREETING | {"userAgent": agent})
    assert driver.status()["codex"]["version"] == version


def test_requests_that_codex_had_are_answered() -> None:
    """Each with the reason, and whether it may be made again; to whom it came from and who is still there."""
    driver = Driver().ready()
    a, b, gone = driver.clients(3)
    for client, raw_id, method in [
        (a, 1, "turn/start"),
        (b, "1", "thread/list"),
        (gone, 1, "x"),
        (a, 2, "x"),
    ]:
        driver.sends(client, id=raw_id, method=method, params={})
    driver.leaves(gone)
    assert driver.dies(REASON) == [
        to(a, error=under_way("turn/start"), id=1),
        to(b, error=under_way("thread/list"), id="1"),
        to(a, error=under_way("x"), id=2),
    ]
    assert (under_way("turn/start")["data"], under_way("thread/list")["data"]) == (
        {"reason": "codexExited", "safeToRetry": False},
        {"reason": "codexExited", "safeToRetry": True},
    )


def test_requests_not_yet_sent_stay() -> None:
    """Those in the queue, those that Codex had refused, and what comes while there is none; in their order."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id="refused", method="a", params={})
    driver.says(error=OVERLOADED, id=2)
    for n in range(32):
        driver.sends(client, id=n, method="b", params={})
    driver.sends(client, id="queued", method="c", params={})
    driver.dies()
    assert driver.sends(client, id="new", method="d", params={}) == []
    driver.wait(0.02)
    driver.spawned()
    assert [asked[1] for asked in driver.asked(driver.greets(36))] == ["a", "c", "d"]


def test_a_death_is_told_in_this_order() -> None:
    """Pending requests are resolved, the status changes, the turn fails; then codexd's own word to who knows codexd."""
    driver = Driver().ready()
    a = driver.client(codexd={})
    b, c = driver.clients(2)
    driver.thread(a, b, turn="u")
    driver.says(id=0, method="item/tool/call", params=T)
    driver.says(id=1, method="item/tool/call", params=T)
    driver.sends(a, id=FIRST, result={})
    driver.sends(c, id="mine", method="turn/start", params=T)
    assert driver.dies(REASON) == [
        to(c, error=under_way("turn/start"), id="mine"),
        to(a, b, method="serverRequest/resolved", params=T | {"requestId": FIRST + 1}),
        to(a, b, c, method="thread/status/changed", params=T | {"status": {"type": "systemError"}}),
        to(a, b, method="error", params=T | {"turnId": "u", "error": ERROR, "willRetry": False}),
        to(a, b, method="turn/completed", params=T | {"turn": FAILED}),
        to(a, method="codexd/codex/exited", params={"pid": 4001, "reason": REASON}),
    ]


def test_never_a_thread_closed() -> None:
    """The TUI leaves on it (measured)."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.thread(a, turn="u")
    driver.sends(b, id=1, method="thread/start", params={"cwd": "/p"})
    driver.says(id=3, result={"thread": {"id": "E", "ephemeral": True}})
    assert not any(
        b"thread/closed" in effect.line for effect in driver.dies() if isinstance(effect, ToClients)
    )


def test_a_thread_without_a_turn_has_none_that_fails() -> None:
    """Its status changes all the same."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client)
    assert driver.dies(REASON) == [
        to(client, method="thread/status/changed", params=T | {"status": {"type": "systemError"}})
    ]


def test_a_sub_agents_turn_fails_for_its_parents_followers() -> None:
    """They saw it begin."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client)
    about = {"threadId": "C"}
    driver.says(method="turn/started", params=about | {"turn": {"id": "u"}})
    driver.says(id=3, result={"thread": {"id": "C", "parentThreadId": "T"}})
    assert driver.dies(REASON)[-1] == to(client, method="turn/completed", params=about | {"turn": FAILED})


def test_who_opted_out_of_an_end_does_not_get_it() -> None:
    """codexd's own notifications are no exception."""
    driver = Driver().ready()
    client = driver.client(optOutNotificationMethods=["error", "thread/status/changed", "turn/completed"])
    driver.thread(client, turn="u")
    assert driver.dies(REASON) == []


def test_what_clients_had_opened_ends_as_it_would_by_nature() -> None:
    """And watches are made again in the next process."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="process/spawn", params={"processHandle": "p"})
    driver.says(id=2, result={})
    driver.sends(client, id=2, method="fs/watch", params={"watchId": "w", "path": "/x"})
    driver.says(id=3, result={})
    exited = {
        "exitCode": -1,
        "stdout": "",
        "stdoutCapReached": False,
        "stderr": "",
        "stderrCapReached": False,
    }
    assert driver.dies() == [to(client, method="process/exited", params={"processHandle": "p"} | exited)]
    driver.wait(0)
    driver.spawned()
    assert driver.greets(4) == [codex(id=5, method="fs/watch", params={"watchId": "1:w", "path": "/x"})]
    assert driver.says(id=5, result={}) == []
    assert driver.says(method="fs/changed", params={"watchId": "1:w"}) == [
        to(client, method="fs/changed", params={"watchId": "w"})
    ]


def test_what_was_held_for_unknown_threads_is_gone() -> None:
    """No answer of that Codex will tell whose it was."""
    driver = Driver().ready()
    driver.says(method="item/started", params={"threadId": "X"})
    driver.dies()
    assert driver.router._state.threads.held_threads() == []


def test_the_next_one_is_started_with_growing_pauses() -> None:
    """And each time everybody's requests go on waiting."""
    driver = Driver().ready()
    client = driver.client()
    driver.dies()
    driver.sends(client, id=1, method="x", params={})
    assert driver.wait(0) == [StartCodex(2)]
    driver.spawned()
    driver.dies()
    assert driver.wait(0.249) == []
    assert driver.wait(0.001) == [StartCodex(3)]
    ((number, _, _),) = driver.asked(driver.spawned())
    assert driver.greets(number) == [codex(id=number + 1, method="x", params={})]


def test_a_codex_that_could_not_be_had_counts_as_a_death() -> None:
    """It was never spawned, and the reason says why."""
    driver = Driver()
    driver.start()
    assert driver.dies("no Codex found") == []
    assert (driver.router.down_reason(), driver.wait(0)) == ("no Codex found", [StartCodex(2)])


def test_a_thread_comes_back_with_the_settings_that_codexd_gives_to_each() -> None:
    """They stand on no command line, so the next Codex hears of them again; no client is told."""
    driver = Driver(
        msgspec.structs.replace(IDENTITY, thread_config={"mcp_servers.x.env.A": "s3cret"})
    ).ready()
    a, _ = driver.clients(2)
    driver.thread(a, turn="u")
    given = {"threadId": "T", "excludeTurns": True, "config": {"mcp_servers.x.env.A": "s3cret"}}
    assert driver.died_and_back() == [codex(id=4, method="thread/resume", params=given)]
    assert "s3cret" not in str(driver.status())


def test_threads_that_somebody_follows_come_back() -> None:
    """Without their turns; the side effects of codexd's own resume are nobody's."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.thread(a, turn="u")
    assert driver.died_and_back() == [resume(4)]
    attached = {"thread": {"id": "T"}}
    assert driver.says(method="thread/status/changed", params=T) == [
        to(a, b, method="thread/status/changed", params=T)
    ]
    assert driver.says(id=4, result=attached) == []
    assert driver.says(method="thread/tokenUsage/updated", params=T) == []
    assert driver.says(method="thread/goal/cleared", params=T) == []
    assert driver.says(method="item/started", params=T) == [to(a, method="item/started", params=T)]
    assert driver.says(method="thread/goal/cleared", params=T) == [
        to(a, b, method="thread/goal/cleared", params=T)
    ]


def test_who_leaves_a_thread_that_comes_back_leaves_it_then() -> None:
    """The request waits with the others, and its answer is the usual one; then the thread may go."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client)
    driver.died_and_back()
    assert driver.sends(client, id="u", method="thread/unsubscribe", params=T) == []
    assert driver.says(id=4, result={"thread": {"id": "T"}}) == [
        to(client, id="u", result={"status": "unsubscribed"}),
        codex(id=5, method="thread/unsubscribe", params=T),
    ]


def test_a_thread_whose_follower_left_before_it_was_back_is_let_go_of() -> None:
    """As soon as it is there."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client)
    driver.died_and_back()
    assert driver.leaves(client) == []
    assert driver.says(id=4, result={"thread": {"id": "T"}}) == [
        codex(id=5, method="thread/unsubscribe", params=T)
    ]


def test_a_thread_whose_follower_left_while_there_was_no_codex_is_let_go_of_too() -> None:
    """Not before it is back: there would be nothing to let go of."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client)
    driver.dies()
    assert driver.leaves(client) == []
    driver.wait(0)
    driver.spawned()
    assert driver.greets(3) == [resume(4)]
    assert driver.says(id=4, result={"thread": {"id": "T"}}) == [
        codex(id=5, method="thread/unsubscribe", params=T)
    ]


def test_what_codex_asked_about_no_thread_ends_with_it() -> None:
    """And what it asked about one that codexd does not know: nobody is left to hear a decision."""
    driver = Driver().ready()
    client = driver.client()
    driver.says(id=0, method="account/chatgptAuthTokens/refresh", params={})
    driver.says(id=1, method="item/tool/call", params={"threadId": "unknown"})
    driver.died_and_back()
    assert driver.status()["pendingApprovals"] == 0
    assert driver.sends(client, id=FIRST, result={}) == []


def test_nothing_is_under_way_in_a_codex_that_is_gone() -> None:
    """Its window is empty at once."""
    driver = Driver().ready()
    client = driver.client()
    for n in range(40):
        driver.sends(client, id=n, method="x", params={})
    assert driver.router._state.flow.under_way == 33
    driver.dies()
    assert driver.router._state.flow.under_way == 0


def test_a_thread_that_nobody_follows_does_not_come_back() -> None:
    """Whoever wants it resumes it."""
    driver = Driver().ready()
    client, other = driver.clients(2)
    driver.thread(client, turn="u")
    driver.leaves(client)
    assert driver.died_and_back() == []
    assert driver.sends(other, id="r", method="thread/resume", params=T) == [
        codex(id=4, method="thread/resume", params=T)
    ]


@pytest.mark.parametrize("ephemeral", [False, True])
def test_a_thread_that_cannot_come_back_is_lost(ephemeral: bool) -> None:
    """Without a first turn, or ephemeral: its requests are refused, and so are those that were waiting for it."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="thread/start", params={"cwd": "/p"})
    driver.says(id=2, result={"thread": {"id": "T", "ephemeral": ephemeral}})
    if ephemeral:
        driver.says(method="turn/started", params=T | {"turn": {"id": "u"}})
    driver.dies()
    driver.sends(client, id=2, method="turn/start", params=T)
    driver.wait(0)
    driver.spawned()
    ((number, _, _),) = driver.asked(driver.greets(3))
    (refused,) = driver.says(error={"code": -32600, "message": "thread not found: T"}, id=number)
    assert b'"reason":"threadLost"' in refused.line  # type: ignore[union-attr]


def test_a_thread_that_fails_to_come_back_is_said_to() -> None:
    """To its followers, with Codex's reason and who has it; then they follow nothing, and what waited goes on."""
    driver = Driver().ready()
    a, b, other = driver.clients(3)
    driver.thread(a, b, turn="u")
    driver.died_and_back()
    driver.sends(a, id=1, method="turn/start", params=T)
    why = "thread T already has an active writer"
    driver.writers["T"] = 4711
    message = f"thread T could not be resumed after Codex died: {why}: {ways_out('T', 4711)}"
    assert driver.says(error={"code": -32600, "message": why}, id=5) == [
        to(a, b, method="warning", params=T | {"message": message}),
        codex(id=6, method="turn/start", params=T),
    ]
    assert driver.logged[-1].message == message
    assert driver.sends(other, id=1, method="thread/resume", params=T) == [
        codex(id=7, method="thread/resume", params=T)
    ]


def test_a_thread_of_which_codex_has_nothing_is_lost() -> None:
    """Another resume would find nothing either."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    driver.died_and_back()
    driver.sends(client, id=1, method="turn/start", params=T)
    warning, asked = driver.says(error={"code": -32600, "message": GONE}, id=4)
    assert asked == codex(id=5, method="turn/start", params=T)
    (refused,) = driver.says(error={"code": -32600, "message": "thread not found: T"}, id=5)
    message = f"thread T could not be resumed after Codex died: {GONE}"
    assert warning == to(client, method="warning", params=T | {"message": message})
    assert b'"reason":"threadLost"' in refused.line  # type: ignore[union-attr]


def test_an_answer_for_a_thread_that_ended_meanwhile() -> None:
    """Nothing is left to follow; what waited goes on."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client)
    driver.died_and_back()
    driver.sends(client, id=1, method="thread/read", params=T)
    assert driver.says(method="thread/deleted", params=T) == [
        to(client, method="thread/deleted", params=T),
        codex(id=5, method="thread/read", params=T),
    ]
    assert driver.says(error={"code": -32600, "message": GONE}, id=4) == []


def test_a_second_death_before_a_thread_is_back_is_told_once() -> None:
    """Its turn has ended already; it comes back with the next one."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    driver.died_and_back()
    driver.sends(client, id=1, method="turn/start", params=T)
    assert driver.dies() == []
    driver.wait(0.25)
    ((number, _, _),) = driver.asked(driver.spawned())
    assert driver.greets(number) == [resume(number + 1)]
    assert driver.says(id=number + 1, result={"thread": {"id": "T"}}) == [
        codex(id=number + 2, method="turn/start", params=T)
    ]


def test_what_waited_for_an_attaching_that_died_goes_on() -> None:
    """No answer to it will come; the request is Codex's, since nobody follows the thread."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id="r", method="thread/resume", params=T)
    assert driver.sends(client, id="u", method="thread/unsubscribe", params=T) == []
    assert driver.dies(REASON) == [to(client, error=under_way("thread/resume"), id="r")]
    driver.wait(0)
    driver.spawned()
    assert driver.greets(3) == [codex(id=4, method="thread/read", params=T)]


def test_those_who_know_codexd_hear_of_its_return() -> None:
    """And of its end; nobody else ever sees a notification of codexd's."""
    driver = Driver().ready()
    knowing = driver.client(codexd={})
    driver.client()
    assert driver.dies(REASON) == [
        to(knowing, method="codexd/codex/exited", params={"pid": 4001, "reason": REASON})
    ]
    driver.wait(0)
    driver.spawned()
    assert driver.greets(2) == [to(knowing, method="codexd/codex/ready", params={"pid": 4002})]


def test_five_deaths_in_a_minute_are_enough() -> None:
    """Everybody is told why, everything that waits is answered, and nothing is tried any more."""
    driver = Driver().ready()
    client = driver.client()
    for _ in range(4):
        driver.dies(REASON)
        driver.wait(3)
    asking = driver.connect()
    hello = {"clientInfo": {"name": "x", "version": "1"}}
    driver.sends(asking, id="i", method="initialize", params=hello)
    driver.sends(client, id="q", method="x", params={})
    assert driver.dies(REASON) == [
        to(client, method="warning", params={"threadId": None, "message": DOWN}),
        to(client, error=unavailable(DOWN, "codexDown", True), id="q"),
        to(asking, error=unavailable(DOWN, "codexDown", True), id="i"),
    ]
    assert (driver.router.deadline(), driver.wait(1000)) == (None, [])
    assert (driver.router.ready(), driver.router.down_reason()) == (False, REASON)
    assert driver.sends(client, id="n", method="x", params={}) == [
        to(client, error=unavailable(DOWN, "codexDown", True), id="n")
    ]
    assert driver.sends(asking, id="j", method="initialize", params=hello) == [
        to(asking, error=unavailable(DOWN, "codexDown", True), id="j")
    ]


def test_followers_are_told_that_codex_is_left_down() -> None:
    """Who has never initialized follows events all the same, and would wait for some that do not come."""
    driver = Driver().ready()
    client, watcher, both = driver.client(), driver.connect(), driver.client()
    driver.connect()
    driver.sends(watcher, id=1, method="codexd/events/follow", params={})
    driver.sends(both, id=1, method="codexd/events/follow", params={"threadId": "T"})
    for _ in range(4):
        driver.dies(REASON)
        driver.wait(3)
    assert driver.dies(REASON) == [
        to(client, both, watcher, method="warning", params={"threadId": None, "message": DOWN})
    ]


def test_what_waits_for_a_thread_is_answered_when_codex_is_left_down() -> None:
    """Parked requests wait as well, and so do refused ones; codexd's own are just dropped."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    driver.died_and_back()
    driver.sends(client, id="parked", method="turn/start", params=T)
    driver.sends(client, id="refused", method="x", params={})
    driver.says(error=OVERLOADED, id=5)
    for _ in range(3):
        driver.dies(REASON)
        driver.wait(3)
    answers = [to(client, error=unavailable(DOWN, "codexDown", True), id=i) for i in ("refused", "parked")]
    ended = driver.dies(REASON)
    assert [effect for effect in ended if effect in answers] == answers
    assert driver.status()["queued"] == 0


def test_what_codexd_itself_had_to_ask_is_dropped_when_codex_is_left_down() -> None:
    """Nobody waits for an answer to it."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="fs/watch", params={"watchId": "w"})
    driver.says(id=2, result={})
    driver.dies()
    assert driver.leaves(client) == []
    assert driver.status()["queued"] == 1
    assert left_down(driver) == []
    assert driver.status()["queued"] == 0


def test_who_asks_for_codex_gets_it_back_with_its_threads() -> None:
    """After it was left down: what was followed is followed still."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    left_down(driver)
    assert driver.sends(client, id=1, method="codexd/codex/start", params={})[0] == StartCodex(6)
    ((number, _, _),) = driver.asked(driver.spawned())
    assert driver.greets(number) == [resume(number + 1)]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"error": {"code": 1, "message": "too old"}}, "Codex refused codexd's initialize: too old"),
        ({"result": None}, "Codex answered codexd's initialize with something unknown"),
        ({"result": {}}, "Codex answered codexd's initialize with something unknown"),
    ],
)
def test_a_codex_that_does_not_greet_is_ended(answer: dict[str, Any], verdict: str) -> None:
    """And that is the reason that everybody hears, not how the process ended."""
    driver = Driver()
    driver.start()
    driver.spawned()
    assert driver.says(id=1, **answer) == [StopCodex(1)]
    assert driver.wait(100) == []
    assert driver.dies("Codex was ended by SIGTERM") == []
    assert (driver.router.down_reason(), driver.wait(0)) == (verdict, [StartCodex(2)])
    driver.spawned()
    driver.dies("Codex exited with status 1")
    assert driver.router.down_reason() == "Codex exited with status 1"


@pytest.mark.parametrize("is_there", [False, True])
def test_a_codex_that_does_not_answer_is_ended(is_there: bool) -> None:
    """After half a minute, whether it could be spawned or hangs at that."""
    driver = Driver()
    driver.start()
    if is_there:
        driver.spawned()
    assert driver.wait(29.9) == []
    assert driver.wait(0.1) == [StopCodex(1, at_once=True)]
    assert driver.wait(100) == []
    driver.dies("Codex was ended by SIGTERM")
    assert driver.router.down_reason() == "Codex did not answer initialize within 30 s"


def test_a_tick_at_any_other_time_does_no_harm() -> None:
    """Before the deadline, and when there is none."""
    driver = Driver()
    assert driver.keep(driver.router.tick(driver.now)) == []
    driver.start()
    assert driver.keep(driver.router.tick(driver.now + 1)) == []
    driver.spawned()
    driver.greets(1)
    assert driver.keep(driver.router.tick(driver.now + 1000)) == []


def test_a_report_of_an_earlier_codex_is_nobodys() -> None:
    """T22: it must not end the present one, nor introduce codexd to it twice."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="x", params={})
    driver.died_and_back()
    driver.sends(client, id=2, method="x", params={})
    assert driver.keep(driver.router.codex_exited(1, "late", driver.now)) == []
    assert driver.keep(driver.router.codex_spawned(1, 4001, driver.now)) == []
    assert driver.says(id=4, result={}) == [to(client, id=2, result={})]


def test_codexds_end_is_an_answer_for_everybody() -> None:
    """What is under way, what waits, what is asked: all of it, then Codex is told to end."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.thread(a, turn="u")
    driver.says(id=0, method="item/tool/call", params=T)
    for n in range(32):
        driver.sends(b, id=n, method="x", params={})
    driver.sends(b, id="queued", method="thread/list", params={})
    stopping = unavailable("codexd is stopping; start it again with `codexd start`", "stopping", True)
    had = under_way("x", reason="stopping", why="codexd is stopping")
    why = ERROR | {"message": "codexd is stopping"}
    assert driver.stops() == [
        *(to(b, error=had, id=n) for n in range(32)),
        to(a, method="serverRequest/resolved", params=T | {"requestId": FIRST}),
        to(a, b, method="thread/status/changed", params=T | {"status": {"type": "systemError"}}),
        to(a, method="error", params=T | {"turnId": "u", "error": why, "willRetry": False}),
        to(a, method="turn/completed", params=T | {"turn": FAILED | {"error": why}}),
        to(b, error=stopping, id="queued"),
        StopCodex(1),
    ]
    assert driver.sends(a, id=1, method="x", params={}) == [to(a, error=stopping, id=1)]
    assert driver.dies("Codex exited with status 0") == []
    assert (driver.wait(1000), driver.router.deadline()) == ([], None)


def test_who_waits_for_its_greeting_is_told_that_codexd_ends() -> None:
    """It is not left without an answer."""
    driver = Driver()
    driver.start()
    client = driver.connect()
    hello = {"clientInfo": {"name": "x", "version": "1"}}
    driver.sends(client, id="i", method="initialize", params=hello)
    stopping = unavailable("codexd is stopping; start it again with `codexd start`", "stopping", True)
    assert driver.stops() == [to(client, error=stopping, id="i"), StopCodex(1)]
    assert driver.spawned() == []
    assert driver.dies("it was told to") == []


@pytest.mark.parametrize("deaths", [1, 5])
def test_without_a_codex_there_is_none_to_end(deaths: int) -> None:
    """Waiting for the next one, or left down: codexd just ends."""
    driver = Driver().ready()
    for _ in range(deaths - 1):
        driver.dies()
        driver.wait(3)
    driver.dies()
    assert driver.stops() == []
    assert driver.wait(1000) == []


def test_each_codex_greets_newcomers_as_itself() -> None:
    """An upgraded one has another version, and newcomers see it."""
    driver = Driver().ready()
    driver.dies()
    driver.wait(0)
    driver.spawned()
    newer = GREETING["userAgent"].replace("0.163.0", "0.169.0")
    driver.says(id=2, result=GREETING | {"userAgent": newer})
    client = driver.connect()
    params = {"clientInfo": {"name": "test", "version": "1"}}
    expected = user_agent("test") | {
        "userAgent": user_agent("test")["userAgent"].replace("0.163.0", "0.169.0")
    }
    assert driver.sends(client, id=0, method="initialize", params=params) == [
        to(client, id=0, result=expected)
    ]
    assert driver.says(**REMOTE_STATUS) == [to(client, **REMOTE_STATUS)]


def test_a_greeting_that_comes_too_late_counts_for_nothing() -> None:
    """The process is being ended; a client that waits is greeted by the next one."""
    driver = Driver()
    driver.start()
    driver.spawned()
    client = driver.connect()
    driver.sends(client, id="i", method="initialize", params=INTRODUCTION)
    assert driver.wait(30) == [StopCodex(1, at_once=True)]
    assert driver.greets(1) == []
    driver.dies()
    driver.wait(0)
    driver.spawned()
    assert driver.greets(2) == [to(client, id="i", result=user_agent("codexd", "0.1.0"))]


def test_who_opted_out_of_codexds_own_notifications_does_not_get_them() -> None:
    """Nor of the end of what it had opened."""
    driver = Driver().ready()
    own = ["codexd/codex/exited", "codexd/codex/ready", "process/exited"]
    client = driver.client(codexd={}, optOutNotificationMethods=own)
    driver.sends(client, id=1, method="process/spawn", params={"processHandle": "p"})
    driver.says(id=2, result={})
    assert driver.dies() == []
    driver.wait(0)
    driver.spawned()
    assert driver.greets(3) == []


def test_what_codexd_itself_had_to_ask_dies_with_codex() -> None:
    """What it is to ask the next one is decided anew."""
    driver = Driver().ready()
    (client,) = driver.clients(1)
    driver.thread(client, turn="u")
    driver.died_and_back()
    driver.says(error=OVERLOADED, id=4)
    driver.dies()
    driver.wait(0.25)
    driver.spawned()
    assert driver.greets(5) == [resume(6)]
    assert driver.wait(1) == []


def test_what_was_decided_and_not_resolved_is_resolved_by_a_death() -> None:
    """Who lost the race to decide waits to hear that it is over; a tool call's end is never told."""
    driver = Driver().ready()
    one, two = driver.clients(2)
    driver.thread(one, two)
    driver.says(id=0, method="item/fileChange/requestApproval", params=T)
    driver.says(id=1, method="item/tool/call", params=T)
    driver.sends(one, id=FIRST, result={})
    driver.sends(one, id=FIRST + 1, result={})
    resolved = {"method": "serverRequest/resolved", "params": T | {"requestId": FIRST}}
    status = {"method": "thread/status/changed", "params": T | {"status": {"type": "systemError"}}}
    assert driver.dies() == [to(one, two, **resolved), to(one, two, **status)]


def test_a_paused_client_is_read_again_when_codexd_ends() -> None:
    """All that it had waiting was answered."""
    driver = Driver()
    driver.start()
    client = driver.connect()
    driver.sends(client, id="i", method="initialize", params=INTRODUCTION)
    effects = [driver.sends(client, id=n, method="x", params={}) for n in range(256)]
    assert effects[-1] == [PauseReading(client)]
    assert ResumeReading(client) in driver.stops()


def test_a_notification_that_waits_is_dropped_when_codexd_ends() -> None:
    """It has no id, so there is nobody to be told."""
    driver = Driver().ready()
    client = driver.client()
    for n in range(32):
        driver.sends(client, id=n, method="x", params={})
    assert MARKER in driver.sends(client, method="future/notification", params={})
    answered = [effect for effect in driver.stops() if isinstance(effect, ToClients)]
    assert len(answered) == 32


def watchful() -> Driver:
    """A Codex that is ready, and counts as hung after 8 seconds."""
    return Driver(msgspec.structs.replace(IDENTITY, codex_silence=8)).ready()


def sign(number: int) -> Any:
    return codex(id=number, method="thread/loaded/list", params={"limit": 1})


def test_a_codex_that_hangs_is_asked_for_a_sign_and_then_replaced() -> None:
    """Its end is told with the verdict; what was not sent yet is for the next one."""
    driver = watchful()
    client = driver.client()
    driver.sends(client, id=1, method="x", params={})
    assert driver.wait(3.9) == []
    assert driver.wait(0.1) == [sign(3)]
    assert driver.wait(3.9) == []
    assert driver.wait(0.1) == [StopCodex(1, at_once=True)]
    assert (driver.status()["codex"]["state"], driver.wait(100)) == ("draining", [])
    assert driver.says(id=2, result={}) == []
    assert driver.sends(client, id=2, method="y", params={}) == []
    hung = "Codex has not answered for 8 s"
    assert driver.dies() == [to(client, error=under_way("x", why=hung), id=1)]
    assert driver.wait(0) == [StartCodex(2)]
    driver.spawned()
    assert driver.greets(4) == [codex(id=5, method="y", params={})]


def test_a_sign_of_life_is_enough() -> None:
    """Whatever it is; the request may take as long as it takes."""
    driver = watchful()
    client = driver.client()
    driver.sends(client, id=1, method="x", params={})
    for number in range(3, 30):
        assert driver.wait(4) == [sign(number)]
        assert driver.says(id=number, result={"data": []}) == []
    assert driver.says(id=2, result={}) == [to(client, id=1, result={})]
    assert driver.router.deadline() is None


def test_a_running_turn_is_watched_over_too() -> None:
    """Nobody waits for an answer, but everybody for its end."""
    driver = watchful()
    client = driver.client()
    driver.thread(client, turn="u")
    assert driver.wait(8) == [sign(3), StopCodex(1, at_once=True)]


def test_a_codex_with_nothing_to_do_is_left_alone() -> None:
    """Once everything has its end, nothing is due."""
    driver = watchful()
    client = driver.client()
    driver.thread(client, turn="u")
    driver.says(method="turn/completed", params=T | {"turn": {"id": "u"}})
    assert (driver.router.deadline(), driver.wait(1000)) == (None, [])


def test_a_marker_that_is_on_its_way_is_sign_enough() -> None:
    """It was sent because the window was full; one of them is asked for at a time."""
    driver = watchful()
    client = driver.client()
    for n in range(33):
        driver.sends(client, id=n, method="x", params={})
    assert driver.wait(8) == [StopCodex(1, at_once=True)]


def test_codexds_own_sleep_is_not_held_against_codex() -> None:
    """Stopped or suspended for an hour, it gives Codex its whole time again."""
    driver = watchful()
    client = driver.client()
    driver.sends(client, id=1, method="x", params={})
    driver.wait(7)
    driver.now += 3600
    assert driver.keep(driver.router.tick(driver.now)) == []
    assert driver.wait(7.9) == []
    assert driver.wait(0.1) == [StopCodex(1, at_once=True)]


def test_codexds_end_is_the_end_of_a_codex_that_is_being_replaced_too() -> None:
    """It is told to go once; nothing comes after it."""
    driver = watchful()
    client = driver.client()
    driver.sends(client, id=1, method="x", params={})
    driver.wait(8)
    stopping = under_way("x", reason="stopping", why="codexd is stopping")
    assert driver.stops() == [to(client, error=stopping, id=1)]
    assert driver.dies() == []
    assert driver.wait(100) == []


def test_one_that_is_there_only_after_it_was_given_up_is_not_spoken_to() -> None:
    """It took longer to spawn than it may take to answer."""
    driver = Driver()
    driver.start()
    assert driver.wait(30) == [StopCodex(1, at_once=True)]
    assert driver.spawned() == []


def test_who_made_codex_silent_with_a_long_line_is_named_in_the_log() -> None:
    """Everybody's turns failed for it, and nobody knew whose it was."""
    driver = watchful()
    client, other = driver.clients(2)
    driver.sends(other, id=1, method="x", params={})
    driver.sends(client, id=2, method="y", params={"text": "x" * 100_000})
    driver.wait(10)
    for _ in range(4):
        driver.wait(2)
    (said,) = [log.message for log in driver.logged if "fell silent" in log.message]
    assert f"of client {client} (" in said
    assert "'y'" in said


def test_who_has_left_is_named_by_its_number_and_short_lines_name_nobody() -> None:
    """What is short is no cause, and who has left can't be asked its name."""
    driver = watchful()
    client = driver.client()
    driver.sends(client, id=2, method="y", params={"text": "x" * 100_000})
    driver.leaves(client)
    for _ in range(5):
        driver.wait(2)
    (said,) = [log.message for log in driver.logged if "fell silent" in log.message]
    assert f"of client {client}: 'y'" in said


def test_what_codex_takes_of_its_input_is_a_sign_of_life() -> None:
    """It reads, if slowly; that an earlier one did means nothing."""
    driver = watchful()
    client = driver.client()
    driver.sends(client, id=1, method="x", params={})
    for _ in range(8):
        driver.wait(2)
        driver.router.codex_takes(driver.incarnation, driver.now)
    assert driver.status()["codex"]["state"] == "ready"
    for _ in range(4):
        driver.wait(2)
        driver.router.codex_takes(driver.incarnation + 1, driver.now)
    driver.wait(2)
    assert driver.status()["codex"]["state"] == "draining"

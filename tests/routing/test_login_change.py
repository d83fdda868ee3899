"""Another login lies in Codex's home than Codex was started with."""

from typing import Any

import pytest

from codexd.routing.effects import Effect, StartCodex, StopCodex
from tests.routing.driver import Driver, to

REPLACED = "Codex is being replaced, because the login in its home is another one now"
REFUSED = {
    "code": -32050,
    "message": "the login has changed, and Codex still has the old one: what is under way has to end first; "
    "try again then, or end it with `codexd restart`",
    "data": {"reason": "loginChanged", "safeToRetry": True},
}
TURN: dict[str, Any] = {"threadId": "T", "input": []}
STOP = StopCodex(1)


def signed_in(*, turn: str | None = None) -> tuple[Driver, int]:
    """A Codex with a login, and a client that follows a thread."""
    driver = Driver()
    driver.login = "first"
    driver.ready()
    client = driver.client()
    driver.thread(client, turn=turn)
    if turn is None:  # it has had one, so the next Codex can resume it
        driver.says(method="turn/started", params={"threadId": "T", "turn": {"id": "t"}})
        ended(driver, "t")
    return driver, client


def ended(driver: Driver, turn: str) -> list[Effect]:
    return driver.says(
        method="turn/completed", params={"threadId": "T", "turn": {"id": turn, "status": "completed"}}
    )


def replaced(driver: Driver) -> list[Effect]:
    """The old Codex has ended by wish and the next one is ready; what is sent and said meanwhile."""
    effects = driver.dies("Codex exited with status 0")
    effects += driver.wait(0)
    ((number, _, _),) = driver.asked(spawned := driver.spawned())
    return effects + spawned + driver.greets(number)


@pytest.mark.parametrize("login", ["second", ""])
def test_the_next_request_goes_to_a_codex_with_the_login_of_now(login: str) -> None:
    """Nothing was under way, so the old one is ended at once; the request waits for the new one, and the thread with it."""
    driver, client = signed_in()
    driver.login = login
    assert driver.sends(client, id=1, method="account/read", params={}) == [STOP]
    effects = replaced(driver)
    assert StartCodex(2) in effects
    asked = [method for _, method, _ in driver.asked(effects)]
    assert sorted(asked) == ["account/read", "initialize", "thread/resume"]
    assert driver.status()["codex"]["restarts"] == 1


def test_who_follows_a_thread_at_rest_is_told_nothing_of_it() -> None:
    """It was at rest before and is after: only who knows codexd hears that Codex was another one for a moment."""
    driver, client = signed_in()
    knowing = driver.client(codexd={})
    driver.login = "second"
    driver.sends(client, id=1, method="turn/start", params=TURN)
    effects = [
        effect for effect in driver.dies("Codex exited with status 0") if not isinstance(effect, StartCodex)
    ]
    assert effects == [to(knowing, method="codexd/codex/exited", params={"pid": 4001, "reason": REPLACED})]
    assert driver.logged[-1].message == f"Codex is gone: {REPLACED}"


def test_to_be_replaced_is_no_death() -> None:
    """However often it happens within a minute, Codex is not left down for it."""
    driver, client = signed_in()
    for number in range(8):
        driver.login = str(number)
        assert driver.sends(client, id=number, method="account/read", params={}) == [StopCodex(number + 1)]
        for asked, method, _ in driver.asked(replaced(driver))[1:]:
            driver.says(id=asked, result={"thread": {"id": "T"}} if method == "thread/resume" else {})
    assert driver.router.ready()


def test_what_does_not_touch_the_login_does_not_look_at_it() -> None:
    """Nor does what codexd answers by itself: `status` says that the login is stale, and leaves Codex as it is."""
    driver, client = signed_in()
    driver.login = "second"
    ((_, method, _),) = driver.asked(driver.sends(client, id=1, method="fs/readFile", params={}))
    assert method == "fs/readFile"
    assert driver.status()["codex"]["loginIsStale"]
    driver.sends(client, id=2, method="codexd/status", params={})
    assert driver.router.ready()


def test_a_new_client_is_enough() -> None:
    """It is greeted by the new Codex."""
    driver, _ = signed_in()
    driver.login = "second"
    newcomer = driver.connect()
    info = {"name": "new", "version": "1"}
    effects = driver.sends(newcomer, id=0, method="initialize", params={"clientInfo": info})
    assert STOP in effects


@pytest.mark.parametrize("method", ["turn/start", "review/start", "thread/compact/start"])
def test_while_a_turn_runs_no_other_begins_with_the_old_login(method: str) -> None:
    """The running one goes on, and can be steered and read; when it has ended Codex is replaced, unasked."""
    driver, client = signed_in(turn="u")
    driver.login = ""
    assert driver.sends(client, id=1, method=method, params=TURN) == [to(client, error=REFUSED, id=1)]
    for number, passed in enumerate(("turn/steer", "thread/read", "account/read"), 2):
        ((number, asked, _),) = driver.asked(driver.sends(client, id=number, method=passed, params=TURN))
        assert asked == passed
        driver.says(id=number, result={})
    assert ended(driver, "u")[-1] == STOP


def test_a_login_that_is_the_old_one_again_is_no_change() -> None:
    """What was refused meanwhile is not any more."""
    driver, client = signed_in(turn="u")
    driver.login = "second"
    driver.sends(client, id=1, method="turn/start", params=TURN)
    driver.login = "first"
    assert driver.asked(driver.sends(client, id=2, method="turn/start", params=TURN)) != []


def test_what_codex_has_is_answered_first() -> None:
    """Nobody's request fails on account of somebody's login; what comes meanwhile is for the next Codex."""
    driver, client = signed_in()
    other = driver.client("other")
    ((number, _, _),) = driver.asked(driver.sends(other, id=1, method="fs/readFile", params={}))
    driver.login = "second"
    assert driver.sends(client, id=1, method="account/read", params={}) == []
    assert driver.sends(other, id=2, method="fs/readFile", params={}) == []
    assert driver.says(id=number, result={}) == [to(other, id=1, result={}), STOP]
    asked = [method for _, method, _ in driver.asked(replaced(driver))]
    assert sorted(asked) == ["account/read", "fs/readFile", "initialize", "thread/resume"]


def test_a_request_that_takes_long_is_waited_for_as_a_turn_is() -> None:
    """After two seconds the others go on with the old Codex, without beginning a turn; it is replaced when that has ended."""
    driver, client = signed_in()
    other = driver.client("other")
    ((number, _, _),) = driver.asked(
        driver.sends(other, id=1, method="command/exec", params={"command": ["sleep"], "cwd": "/"})
    )
    driver.login = "second"
    assert driver.sends(client, id=1, method="turn/start", params=TURN) == []
    assert driver.sends(client, id=2, method="thread/read", params={"threadId": "T"}) == []
    effects = driver.wait(2)
    assert to(client, error=REFUSED, id=1) in effects
    ((read, method, _),) = driver.asked(effects)
    assert method == "thread/read"
    driver.says(id=read, result={})
    assert driver.says(id=number, result={"exitCode": 0})[-1] == STOP


def test_a_process_lives_on() -> None:
    """Codex is not replaced before it has ended."""
    driver, client = signed_in()
    spawn = {"processHandle": "p", "command": ["sleep"], "cwd": "/"}
    ((number, _, _),) = driver.asked(driver.sends(client, id=1, method="process/spawn", params=spawn))
    driver.says(id=number, result={})
    driver.login = "second"
    assert driver.sends(client, id=2, method="turn/start", params=TURN) == [to(client, error=REFUSED, id=2)]
    exited = {"processHandle": f"{client}:p", "exitCode": 0}
    assert driver.says(method="process/exited", params=exited)[-1] == STOP


def test_what_codex_asks_is_answered_first() -> None:
    """Who is to decide still can; then Codex is replaced."""
    driver, client = signed_in()
    driver.says(id=0, method="mcpServer/elicitation/request", params={"threadId": "T", "turnId": None})
    driver.login = "second"
    assert driver.sends(client, id=2, method="turn/start", params=TURN) == [to(client, error=REFUSED, id=2)]
    (pending,) = driver.router._state.server_requests.undecided()
    effects = driver.sends(client, id=pending.id, result={"action": "decline"})
    assert effects[-1] == STOP


def test_a_login_through_codex_is_no_change() -> None:
    """Codex says that it has it. What was handed over before it said so had to wait, for two seconds at most."""
    driver, client = signed_in()
    login = {"type": "apiKey", "apiKey": "k"}
    ((number, _, _),) = driver.asked(driver.sends(client, id=1, method="account/login/start", params=login))
    driver.says(id=number, result={"type": "apiKey"})
    driver.login = "second"
    assert driver.sends(client, id=2, method="turn/start", params=TURN) == []
    effects = driver.says(method="account/updated", params={"authMode": "apikey"})
    assert [method for _, method, _ in driver.asked(effects)] == ["turn/start"]
    assert not driver.status()["codex"]["loginIsStale"]


def test_a_login_that_was_begun_through_codex_and_never_ended_does_not_hide_another() -> None:
    """Codex would have said within two seconds that it has the new one."""
    driver, client = signed_in()
    ((number, _, _),) = driver.asked(
        driver.sends(client, id=1, method="account/login/start", params={"type": "chatgpt"})
    )
    driver.says(id=number, result={"type": "chatgpt", "loginId": "l", "authUrl": "u"})
    driver.login = "second"
    assert driver.sends(client, id=2, method="turn/start", params=TURN) == []
    assert driver.wait(2) == [STOP]


def test_a_codexd_that_is_to_end_replaces_no_codex() -> None:
    """It waits for turns, and refuses others in words of its own."""
    driver, client = signed_in()
    driver.router.drain(driver.now + 10, driver.now)
    driver.login = "second"
    driver.sends(client, id=1, method="account/read", params={})
    assert driver.router.ready()


def test_before_codex_is_ready_there_is_nothing_to_look_at() -> None:
    """It reads the login that lies there when it starts."""
    driver = Driver()
    driver.start()
    driver.login = "second"
    driver.sends(driver.connect(), id=1, method="codexd/codex/start", params={})
    assert not driver.status()["codex"]["loginIsStale"]

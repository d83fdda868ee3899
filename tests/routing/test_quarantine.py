"""A thread that was being resumed at two deaths of Codex is resumed no more, and everybody else goes on."""

import json
from typing import Any

import pytest

from codexd.routing.quarantine import MOST_SUSPECTS, Quarantine, sentence
from tests.routing.driver import Driver, call, codex, to

T = {"threadId": "T"}


def resume(number: int, thread: str = "T") -> Any:
    """codexd's own."""
    params = {"threadId": thread, "excludeTurns": True}
    return codex(id=number, method="thread/resume", params=params)


def refused(client: int, raw_id: Any, thread: str = "T") -> Any:
    """codexd's own answer to whoever would load a quarantined thread."""
    error = {
        "code": -32600,
        "message": sentence(thread),
        "data": {"reason": "threadQuarantined", "safeToRetry": False},
    }
    return to(client, error=error, id=raw_id)


def back(driver: Driver) -> list[Any]:
    """The next Codex is ready; what it is asked then: number, method and thread."""
    driver.wait(2)
    ((number, _, _),) = driver.asked(driver.spawned())
    return [(n, method, params.get("threadId")) for n, method, params in driver.asked(driver.greets(number))]


def killed_twice_by_a_client(driver: Driver, client: int) -> None:
    """The client resumes T, and does so again."""
    for raw_id in (1, 2):
        driver.sends(client, id=raw_id, method="thread/resume", params=T)
        driver.dies()
        back(driver)


def test_a_followed_thread_that_kills_codex_is_let_go_of_at_the_second_death() -> None:
    """Its followers are told once, with the way out; the next Codex is not asked for it, and gets the others' requests."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.thread(a, thread="T")
    driver.thread(b, thread="U")
    driver.dies()
    assert back(driver) == [(5, "thread/resume", "T"), (6, "thread/resume", "U")]
    assert driver.dies() == []
    assert back(driver) == [(8, "thread/resume", "T")], "alone, so that U is not taken for the cause"
    assert driver.sends(b, id="u", method="turn/start", params={"threadId": "U"}) == []
    assert driver.dies() == [to(a, method="warning", params=T | {"message": sentence("T")})]
    assert driver.status()["quarantined"] == ["T"]
    assert back(driver) == [(10, "thread/resume", "U")]
    assert driver.says(id=10, result={"thread": {"id": "U"}}) == [
        codex(id=11, method="turn/start", params={"threadId": "U"})
    ]
    driver.dies()
    assert back(driver) == [(13, "thread/resume", "U")]
    driver.dies()
    assert driver.status()["quarantined"] == ["T"], "the answer ended the suspicion of U"


def test_who_would_load_a_quarantined_thread_is_refused() -> None:
    """A resume and a fork; what does not load it is Codex's to answer."""
    driver = Driver().ready()
    client = driver.client()
    killed_twice_by_a_client(driver, client)
    for method in ("thread/resume", "thread/fork"):
        assert driver.sends(client, id=3, method=method, params=T) == [refused(client, 3)]
    for method in ("thread/read", "thread/archive", "thread/delete", "thread/name/set"):
        (asked,) = driver.asked(driver.sends(client, id=4, method=method, params=T))
        assert asked[1:] == (method, T)
    assert driver.sends(client, method="thread/resume", params=T) == [codex(method="thread/resume", params=T)]


def test_a_resume_that_waited_while_it_became_quarantined_is_refused() -> None:
    """It waited for codexd's own resume, which killed Codex."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.thread(a)
    driver.dies()
    for _ in range(2):
        back(driver)
        driver.sends(b, id="r", method="thread/resume", params=T)
        driver.dies()
    driver.wait(2)
    ((number, _, _),) = driver.asked(driver.spawned())
    assert driver.greets(number) == [refused(b, "r"), refused(b, "r")]


def test_a_quarantine_is_lifted_by_releasing_the_thread() -> None:
    """As if nothing had happened: two more deaths are needed for another one."""
    driver = Driver().ready()
    client = driver.client()
    killed_twice_by_a_client(driver, client)
    assert driver.sends(client, id="l", method="codexd/threads/release", params=T) == [
        to(client, id="l", result={"status": "released"})
    ]
    assert driver.status()["quarantined"] == []
    (asked,) = driver.asked(driver.sends(client, id=3, method="thread/resume", params=T))
    assert asked[1:] == ("thread/resume", T)
    driver.dies()
    assert driver.status()["quarantined"] == []


def test_a_quarantined_thread_that_is_loaded_all_the_same_is_released_as_any_other() -> None:
    """Codex loads a sub-agent's thread by itself."""
    driver = Driver().ready()
    client = driver.client()
    killed_twice_by_a_client(driver, client)
    driver.thread(client, thread="P")
    driver.router._state.threads.open("T", "P")
    use = {"followers": 1, "turnRuns": False, "pendingApprovals": 0, "status": "inUse"}
    assert driver.sends(client, id="l", method="codexd/threads/release", params=T) == [
        to(client, id="l", result=use)
    ]
    assert driver.status()["quarantined"] == []


def test_a_deleted_thread_is_quarantined_no_more() -> None:
    """There is nothing left of it."""
    driver = Driver().ready()
    killed_twice_by_a_client(driver, driver.client())
    driver.says(method="thread/deleted", params=T)
    assert driver.status()["quarantined"] == []


def test_its_deaths_do_not_leave_codex_down() -> None:
    """Three threads that kill Codex are six deaths within a minute."""
    driver = Driver().ready()
    client = driver.client()
    for thread in ("T", "U", "V"):
        for raw_id in (1, 2):
            driver.sends(client, id=raw_id, method="thread/resume", params={"threadId": thread})
            driver.dies()
            back(driver)
    assert driver.status()["quarantined"] == ["T", "U", "V"]
    assert driver.status()["codex"]["state"] == "ready"
    for _ in range(4):
        driver.dies()
        driver.wait(2)
        driver.spawned()
    assert driver.status()["codex"]["state"] == "starting"
    driver.dies()
    assert driver.status()["codex"]["reason"].startswith("Codex died 5 times within a minute")


def test_an_answered_resume_ends_the_suspicion() -> None:
    """An error, too: Codex has survived it. Two deaths with an answer in between quarantine nothing."""
    driver = Driver().ready()
    client = driver.client()
    for answer in ({"error": {"code": -32600, "message": "no"}}, {"result": {"thread": {"id": "T"}}}):
        driver.sends(client, id=1, method="thread/resume", params=T)
        driver.dies()
        back(driver)
        ((number, _, _),) = driver.asked(driver.sends(client, id=2, method="thread/resume", params=T))
        driver.says(id=number, **answer)
    assert driver.status()["quarantined"] == []


def test_an_end_that_codexd_wanted_is_no_death() -> None:
    """It has answered for Codex by then."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="thread/resume", params=T)
    driver.dies()
    back(driver)
    driver.sends(client, id=2, method="thread/resume", params=T)
    driver.stops()
    driver.dies()
    assert driver.status()["quarantined"] == []


@pytest.mark.parametrize("message", ["Server overloaded; retry later.", "what"])
def test_suspects_are_resumed_one_after_the_other(message: str) -> None:
    """A client's resume of one waits for any other, however that is answered; others wait for none."""
    driver = Driver().ready()
    a, b, c = driver.clients(3)
    for client, thread in ((a, "T"), (b, "U")):
        driver.sends(client, id=1, method="thread/resume", params={"threadId": thread})
    driver.dies()
    back(driver)
    ((number, _, _),) = driver.asked(driver.sends(a, id=2, method="thread/resume", params=T))
    assert driver.sends(b, id=2, method="thread/resume", params={"threadId": "U"}) == []
    assert driver.sends(c, id=2, method="thread/resume", params={"threadId": "V"}) == [
        codex(id=number + 1, method="thread/resume", params={"threadId": "V"})
    ]
    driver.says(id=number + 1, result={"thread": {"id": "V"}})
    effects = driver.says(error={"code": -32001, "message": message}, id=number)
    asked = codex(id=number + 2, method="thread/resume", params={"threadId": "U"})
    assert effects[-1] == asked


def test_a_resume_whose_thread_is_not_known_is_near_no_death() -> None:
    """A rollout's path may name none."""
    driver = Driver().ready()
    client = driver.client()
    for raw_id in (1, 2):
        asked = driver.sends(client, id=raw_id, method="thread/resume", params={"path": "/x"})
        assert len(asked) == 1
        driver.dies()
        back(driver)
    ((number, _, _),) = driver.asked(
        driver.sends(client, id=3, method="thread/resume", params={"path": "/x"})
    )
    driver.says(id=number, result={"thread": {"id": "T"}})
    assert driver.status()["quarantined"] == []


def test_what_is_remembered_of_suspects_has_an_end() -> None:
    """The oldest suspicions are forgotten."""
    quarantine = Quarantine()
    assert quarantine.died([str(n) for n in range(MOST_SUSPECTS + 1)], 1.0) == ([], set())
    assert (quarantine.is_suspect("0"), quarantine.is_suspect("1")) == (False, True)
    assert quarantine.died(["0", "1", "1"], 2.0) == (["1"], {1.0})
    assert quarantine.refusal(call(1, method="thread/resume", thread="1")) is not None
    assert (quarantine.lift("0"), quarantine.lift("1"), quarantine.lift("1")) == (False, True, False)
    assert json.dumps(quarantine.threads()) == "[]"

"""What broke in other brokers and must not break here: the decisions among them, one test each."""

from tests.routing.driver import FIRST_SERVER_REQUEST as FIRST, OVERLOADED, START, Driver, codex, to

APPROVAL = "item/commandExecution/requestApproval"
T = {"threadId": "T"}
ACCEPT = {"decision": "accept"}


def test_t1_an_approval_whose_id_is_that_of_a_request_under_way() -> None:
    """T1. Codex's approval 2 and the client's own request 2 were one entry of one table in siddheshkothadi's bridge,
    codexUI and gobby: the user's decision was taken for an answer, or the answer for a decision."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client)
    for raw_id in (3, FIRST):
        driver.sends(client, id=raw_id, method="x", params={})
    assert driver.says(id=3, method=APPROVAL, params=T) == [to(client, id=FIRST, method=APPROVAL, params=T)]
    assert driver.sends(client, id=FIRST, result=ACCEPT) == [codex(id=3, result=ACCEPT)]
    assert driver.says(id=3, result={"n": 1}) == [to(client, id=3, result={"n": 1})]
    assert driver.says(id=4, result={"n": 2}) == [to(client, id=FIRST, result={"n": 2})]


def test_t3_a_turns_events_after_its_asker_has_left() -> None:
    """T3. In codex-plugin-cc and codex-collab the events went to whoever was active: after A had left in mid-turn,
    B read along on A's private thread. Here C, who follows it too, gets them, and B never does."""
    driver = Driver().ready()
    a, b, c = driver.clients(3)
    driver.thread(a, c)
    driver.thread(b, thread="B")
    driver.sends(a, id=1, method="turn/start", params=T)
    driver.says(method="turn/started", params=T | {"turn": {"id": "u"}})
    driver.leaves(a)
    delta = {"method": "item/agentMessage/delta", "params": T | {"delta": "secret"}}
    assert driver.says(**delta) == [to(c, **delta)]
    driver.leaves(c)
    assert driver.says(**delta) == []
    assert driver.says(id=5, result={"turn": {"id": "u"}}) == []


def test_t4_codex_is_killed_with_requests_under_way() -> None:
    """T4. In codex-plugin-cc, codexia, gobby and codex-manager they were never answered, and whoever had asked waited
    for ever. Here all of them fail at once, and the next Codex serves what comes."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    for client in (a, b):
        for n in range(3):
            driver.sends(client, id=n, method="x", params={})
    effects = driver.dies("Codex was killed by SIGKILL")
    assert [(effect.clients, b'"code":-32050' in effect.line) for effect in effects] == [  # type: ignore[union-attr]
        ((client,), True) for client in (a, b) for _ in range(3)
    ]
    driver.wait(0)
    ((number, _, _),) = driver.asked(driver.spawned())
    driver.greets(number)
    assert driver.sends(a, id=1, method="y", params={}) == [codex(id=number + 1, method="y", params={})]
    assert driver.says(id=number + 1, result={}) == [to(a, id=1, result={})]


def test_t8_an_approval_after_one_of_several_followers_has_left() -> None:
    """T8. In agm a thread had one owner: when A left, B and C, who were on the same thread, never saw its approvals,
    and the turn hung."""
    driver = Driver().ready()
    a, b, c = driver.clients(3)
    driver.thread(a, b, c, turn="u")
    driver.leaves(a)
    assert driver.says(id=0, method=APPROVAL, params=T) == [to(b, c, id=FIRST, method=APPROVAL, params=T)]
    assert driver.sends(c, id=FIRST, result=ACCEPT) == [codex(id=0, result=ACCEPT)]


def test_t11_a_request_that_nobody_knows_and_nobody_is_there_for() -> None:
    """T11. lspmux ignored it, and its child waited for ever. Here one of a thread waits for the next client, and one of
    no thread is answered with an error."""
    driver = Driver().ready()
    assert driver.asked(driver.says(id=0, method="item/somethingNew", params=T)) == [
        (2, "thread/read", T | {"includeTurns": False})
    ]
    message = "no client of codexd can answer somethingNew"
    assert driver.says(id=1, method="somethingNew", params={}) == [
        codex(error={"code": -32050, "message": message, "data": {"reason": "noClient"}}, id=1)
    ]
    client = driver.client()
    driver.says(id=2, result={"thread": {"id": "T"}})
    driver.sends(client, id="r", method="thread/resume", params=T)
    attached = {"thread": {"id": "T"}}
    assert driver.says(id=3, result=attached) == [to(client, id="r", result=attached)]
    assert driver.says(id=0, method="item/somethingNew", params=T) == [
        to(client, id=FIRST, method="item/somethingNew", params=T),
    ]


def test_t12_two_who_decide_at_once() -> None:
    """T12. codex-manager sent both decisions on. Here exactly one reaches Codex, and the loser, like who only looked on,
    is told that the request is resolved."""
    driver = Driver().ready()
    a, b, c = driver.clients(3)
    driver.thread(a, b, c, turn="u")
    driver.says(id=0, method=APPROVAL, params=T)
    decisions = driver.sends(b, id=FIRST, result={"decision": "decline"}) + driver.sends(
        a, id=FIRST, result=ACCEPT
    )
    assert decisions == [codex(id=0, result={"decision": "decline"})]
    assert driver.says(method="serverRequest/resolved", params=T | {"requestId": 0}) == [
        to(a, b, c, method="serverRequest/resolved", params=T | {"requestId": FIRST})
    ]


def test_t13_an_approval_of_before_the_restart() -> None:
    """T13. In codex-manager the decision on approval 0 of the dead process answered approval 0 of the next one: a user
    who had said yes to one command had said yes to another."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    driver.says(id=0, method=APPROVAL, params=T)
    driver.died_and_back()
    driver.says(id=4, result={"thread": {"id": "T"}})
    assert driver.says(id=0, method=APPROVAL, params=T) == [
        to(client, id=FIRST + 1, method=APPROVAL, params=T)
    ]
    assert driver.sends(client, id=FIRST, result=ACCEPT) == []
    assert driver.sends(client, id=0, result=ACCEPT) == []
    assert driver.sends(client, id=FIRST + 1, result=ACCEPT) == [codex(id=0, result=ACCEPT)]


def test_t13_an_approval_of_before_codexd_was_restarted() -> None:
    """T13, one floor up: the next codexd starts later, so none of its ids was ever given out."""
    driver = Driver().ready()
    driver.client()
    asked = [driver.says(id=n, method="x") for n in range(100)]
    ids = {FIRST + n for n in range(100)}
    assert len(asked) == len(ids)
    assert int((START + 0.001) * 1_000_000) + 1 not in ids


def test_t16_a_request_that_is_never_answered() -> None:
    """T16. In codex-broker one request that timed out ended the child for everybody. Here its asker alone waits; 200 of
    them harm nobody, and when the asker leaves they are forgotten."""
    driver = Driver().ready()
    patient, other = driver.clients(2)
    for n in range(200):
        driver.sends(patient, id=n, method="silent", params={})
        for number, method, _ in driver.asked(driver.sends(other, id=n, method="x", params={})):
            if method == "x":
                driver.says(id=number, result={})
    assert driver.router.in_flight(other) == 0
    driver.leaves(patient)
    ((number, _, _),) = driver.asked(driver.sends(other, id="y", method="x", params={}))
    assert driver.says(id=number, result={}) == [to(other, id="y", result={})]


def test_t20_a_notification_before_the_answer_to_initialize() -> None:
    """T20. lspmux took the first line of its child for the answer to `initialize`. Here the answer is the one that has
    its id, whatever comes before it."""
    driver = Driver()
    driver.start()
    driver.spawned()
    client = driver.client()
    assert driver.says(method="account/updated", params={}) == []
    assert driver.says(id=7, result={}) == []
    assert not driver.router.ready()
    assert driver.greets(1)[0].clients == (client,)  # type: ignore[union-attr]


def test_t22_a_late_report_of_an_old_child() -> None:
    """T22. happy and codeXD count generations for it: without them the exit of the first process, reported late, failed
    the requests of the second."""
    driver = Driver().ready()
    client = driver.client()
    driver.died_and_back()
    driver.sends(client, id=1, method="x", params={})
    assert driver.router.codex_exited(1, "late", driver.now) == []
    assert driver.router.codex_receive(1, b'{"id":3,"result":{"of":"the first"}}', driver.now) == []
    assert driver.says(id=3, result={}) == [to(client, id=1, result={})]


def test_t24_an_approval_that_nobody_answers() -> None:
    """T24. In claude-agent-acp a pending permission kept `session/new` waiting. Here another thread is started meanwhile
    and has its turn."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.thread(a, turn="u")
    driver.says(id=0, method=APPROVAL, params=T)
    assert driver.sends(b, id=1, method="thread/start", params={"cwd": "/p"}) == [
        codex(id=3, method="thread/start", params={"cwd": "/p"})
    ]
    attached = {"thread": {"id": "N"}}
    assert driver.says(id=3, result=attached) == [to(b, id=1, result=attached)]
    turn = {"threadId": "N", "input": []}
    assert driver.sends(b, id=2, method="turn/start", params=turn) == [
        codex(id=4, method="turn/start", params=turn)
    ]


def test_t25_an_overloaded_codex() -> None:
    """T25. codex-plugin-cc said `-32001 busy` to everybody but the one active client. Here nobody is told so: who is
    refused is asked again inside, while the other is served."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.sends(a, id=1, method="x", params={})
    driver.sends(b, id=1, method="y", params={})
    assert driver.says(error=OVERLOADED, id=2) == []
    assert driver.says(id=3, result={}) == [to(b, id=1, result={})]
    assert driver.wait(0.02) == [codex(id=4, method="x", params={})]
    assert driver.says(id=4, result={}) == [to(a, id=1, result={})]

"""Requests that other messages name by their ids."""

from typing import Any

import pytest

from codexd.routing import named_requests
from tests.routing.driver import OVERLOADED, Driver, codex, to

FIND, CANCEL, FOUND, HURRY = "new/find", "new/find/cancel", "new/find/found", "new/hurry"
"""Methods of no Codex yet; the schema of the driver's says where they name requests."""


def found(named: Any, **more: Any) -> dict[str, Any]:
    return {"method": FOUND, "params": {"requestId": named, "data": [1.5], **more}}


@pytest.mark.parametrize("raw_id", ["a", 1, -5, 'q"é'])
def test_what_is_found_is_the_askers_under_its_own_id(raw_id: Any) -> None:
    """Others hear nothing of it, and nobody learns codexd's number."""
    driver = Driver().ready()
    one, _ = driver.clients(2)
    assert driver.sends(one, id=raw_id, method=FIND, params={}) == [codex(id=2, method=FIND, params={})]
    assert driver.says(**found(2)) == [to(one, **found(raw_id))]


@pytest.mark.parametrize("named", [1, 99, "2", 2**63, None, {}, [2]])
def test_what_names_nobodys_request_is_nobodys(named: Any) -> None:
    """Not even everybody's: whose it is may be a secret. What is no id is told everybody, as what is not known."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method=FIND, params={})
    is_id = isinstance(named, str) or (isinstance(named, int) and named < 2**63)
    assert driver.says(**found(named)) == ([] if is_id else [to(client, **found(named))])


def test_what_names_no_request_is_told_as_ever() -> None:
    """The member may be optional."""
    driver = Driver().ready()
    clients = driver.clients(2)
    assert driver.says(method=FOUND, params={"data": []}) == [to(*clients, method=FOUND, params={"data": []})]
    assert driver.says(method=FOUND) == [to(*clients, method=FOUND)]


def test_codexds_own_requests_are_nobodys() -> None:
    """A marker has a number, too."""
    driver = Driver().ready()
    driver.clients(2)
    assert driver.says(**found(1)) == []


def test_more_may_come_after_the_answer() -> None:
    """Until so many others were answered that it is forgotten."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id="a", method=FIND, params={})
    driver.says(id=2, result={})
    for number in range(3, 2 + named_requests.REMEMBERED):
        driver.sends(client, id=0, method="x", params={})
        driver.says(id=number, result={})
    assert driver.says(**found(2)) == [to(client, **found("a"))]
    driver.sends(client, id=0, method="x", params={})
    driver.says(id=2 + named_requests.REMEMBERED, result={})
    assert driver.says(**found(2)) == []


def test_what_is_found_for_somebody_who_left_is_nobodys() -> None:
    """Before the answer and after."""
    driver = Driver().ready()
    one, _ = driver.clients(2)
    driver.sends(one, id="a", method=FIND, params={})
    driver.leaves(one)
    assert driver.says(**found(2)) == []
    driver.says(id=2, result={})
    assert driver.says(**found(2)) == []


def test_a_client_may_opt_out_of_what_is_found() -> None:
    """As of any notification."""
    driver = Driver().ready()
    client = driver.client(optOutNotificationMethods=[FOUND])
    driver.sends(client, id=1, method=FIND, params={})
    assert driver.says(**found(2)) == []


def test_of_several_requests_the_first_says_whose_it_is() -> None:
    """Another's is not translated for it."""
    driver = Driver().ready()
    one, two = driver.clients(2)
    driver.sends(one, id="a", method=FIND, params={})
    driver.sends(one, id="b", method=FIND, params={})
    driver.sends(two, id="c", method=FIND, params={})
    assert driver.says(**found(2, others=[3, 4, 5])) == [to(one, **found("a", others=["b", 4, 5]))]


def test_what_is_still_under_way_ends_with_its_client() -> None:
    """As it ends with a connection of Codex's own; what no method cancels goes on, and what was answered is over."""
    driver = Driver().ready()
    one, two = driver.clients(2)
    for client in (one, two):
        for raw_id, method in enumerate((FIND, "x", FIND, "thread/sample")):
            driver.sends(client, id=raw_id, method=method, params={})
    driver.says(id=2, result={})
    assert driver.leaves(one) == [
        codex(id=10, method=CANCEL, params={"requestId": 4}),
        codex(id=11, method="thread/sample/cancel", params={"requestId": 5}),
    ]
    assert driver.says(id=10, result={}) == []
    assert driver.says(error={"code": -32600, "message": "cancelled"}, id=4) == []


def test_what_waits_for_codex_needs_no_end() -> None:
    """It is never sent."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method=FIND, params={})
    driver.says(error=OVERLOADED, id=2)
    assert driver.leaves(client) == []


def test_a_cancel_ends_what_it_is_for_and_nothing_else() -> None:
    """A request of another kind under the same id is not meant (measured with the searches of 0.171)."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method=FIND, params={})
    driver.sends(client, id=1, method="thread/sample", params={})
    params = {"requestId": 1}
    assert driver.sends(client, id=9, method=CANCEL, params=params) == [
        codex(id=4, method=CANCEL, params={"requestId": 2})
    ]


@pytest.mark.parametrize("named", [1, "a"])
def test_nobody_ends_what_another_has_asked(named: Any) -> None:
    """Neither by its asker's id nor by codexd's number: Codex is named a request that it never saw."""
    driver = Driver().ready()
    one, two = driver.clients(2)
    driver.sends(one, id="a", method=FIND, params={})
    driver.sends(one, id=1, method=FIND, params={})
    for number, raw_id in ((5, named), (7, 2), (9, 3)):
        assert driver.sends(two, id=9, method=CANCEL, params={"requestId": raw_id}) == [
            codex(id=number, method=CANCEL, params={"requestId": number - 1})
        ]


def test_an_id_may_be_written_in_another_way() -> None:
    """It is the same string to Codex."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id="é/", method=FIND, params={})
    cancel = b'{"id":9,"method":"new/find/cancel","params":{"requestId":"\\u00e9\\/"}}'
    assert driver.sends_bytes(client, cancel) == [codex(id=3, method=CANCEL, params={"requestId": 2})]


def test_requests_of_any_kind_can_be_named_at_any_place() -> None:
    """By what is no cancel; the rest of the params stays as it is."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id="a", method="x", params={})
    driver.sends(client, id="b", method=FIND, params={})
    params = {"requestId": "a", "all": [{"requestId": "b"}, {"requestId": None}, {}], "x": 1.5}
    translated = {"requestId": 2, "all": [{"requestId": 3}, {"requestId": None}, {}], "x": 1.5}
    assert driver.sends(client, id=9, method=HURRY, params=params) == [
        codex(id=4, method=HURRY, params=translated)
    ]
    assert driver.sends(client, method=HURRY, params=params) == [codex(method=HURRY, params=translated)]


@pytest.mark.parametrize("line", [b'{"method":"new/hurry"}', b'{"id":1,"method":"new/hurry"}'])
def test_without_params_there_is_nothing_to_translate(line: bytes) -> None:
    """It is Codex's to refuse."""
    driver = Driver().ready()
    client = driver.client()
    assert driver.sends_bytes(client, line) == [codex(**{"id": 2} if b"id" in line else {}, method=HURRY)]


def test_without_a_schema_what_the_newest_codex_has_is_known() -> None:
    """Nobody is told of another's search, and nobody ends it."""
    driver = Driver().ready()
    driver.learnt("there is no schema")
    one, two = driver.clients(2)
    driver.sends(one, id="a", method="thread/search/stream", params={"searchTerm": "x"})
    partial = {"method": "thread/search/partial", "params": {"data": [], "requestId": 2}}
    assert driver.says(**partial) == [to(one, **partial | {"params": {"data": [], "requestId": "a"}})]
    assert driver.sends(two, id=1, method="thread/search/stream/cancel", params={"requestId": "a"}) == [
        codex(id=4, method="thread/search/stream/cancel", params={"requestId": 3})
    ]
    assert driver.leaves(one) == [codex(id=5, method="thread/search/stream/cancel", params={"requestId": 2})]

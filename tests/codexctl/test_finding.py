import time

import pytest

from codexctl.client import Client
from codexctl.exits import Failure
from codexctl.finding import all_threads, full_id, latest_thread
from codexctl.time_limit import TimeLimit
from tests.codexctl.standin import THREAD, Refused, thread

NOW = 1795229617


@pytest.fixture
def client(codexd):
    with Client.connect(name="test", version="1") as client:
        yield client


def id_of(at, tail="7f93-8820-17e4de44dd8d"):
    """The id of a thread that was created then, in seconds."""
    digits = f"{at * 1000:012x}"
    return f"{digits[:8]}-{digits[8:]}-{tail}"


class Database:
    """Codex's, with three threads a page, the newest first. A cursor is a time, as Codex has it; `None` refuses it."""

    def __init__(self, *threads, archived=(), files=(), cursors=True):
        self.threads, self.archived, self.files, self.cursors = threads, archived, files, cursors
        self.asked = []

    def __call__(self, connection, params):
        self.asked.append(params)
        there = self.archived if params.get("archived") else self.threads
        there = there if params.get("useStateDbOnly") else self.files
        there = sorted(there, key=lambda one: -one["createdAt"])
        if cursor := params.get("cursor"):
            if not self.cursors and "own" not in cursor:
                return Refused(-32600, f"invalid cursor: {cursor}")
            at = time.strptime(cursor.removeprefix("own"), "%Y-%m-%dT%H:%M:%SZ")
            there = [one for one in there if one["createdAt"] < _seconds(at)]
        if (term := params.get("searchTerm")) is not None:
            there = [one for one in there if term in (one["name"] or "") + one["preview"]]
        rest = there[3:]
        then = time.strftime("own%Y-%m-%dT%H:%M:%SZ", time.gmtime(there[2]["createdAt"])) if rest else None
        return {"data": there[:3], "nextCursor": then}


def _seconds(at):
    return int(time.mktime(at) - time.timezone)


def made(at, **more):
    return thread(id=id_of(at), createdAt=at, **more)


def many(count=40):
    """Threads an hour apart, the first of them now."""
    return [made(NOW - 3600 * hours) for hours in range(count)]


def test_a_whole_id_is_taken_as_it_is(client, codexd):
    """It costs no request, in whichever of the spellings that Codex takes; Codex says if there is no such thread."""
    assert full_id(client, THREAD) == THREAD
    for spelling in (THREAD.upper(), THREAD.replace("-", ""), "{" + THREAD + "}", "urn:uuid:" + THREAD):
        assert full_id(client, spelling) == THREAD
    assert codexd.requests("thread/list") == []


@pytest.mark.parametrize("digits", [8, 9, 12, 20])
@pytest.mark.parametrize("hours", [0, 20, 39])
def test_the_beginning_of_an_id_is_found_where_its_time_is(client, codexd, digits, hours):
    """In one page of many, from the database alone; capitals are no difference."""
    codexd.answers["thread/list"] = database = Database(*many())
    wanted = id_of(NOW - 3600 * hours)
    assert full_id(client, wanted[:digits].upper()) == wanted
    assert len(database.asked) <= 3
    assert all(asked["useStateDbOnly"] for asked in database.asked)


def test_an_archived_thread_is_found_too(client, codexd):
    """By the time in its id, as any other."""
    old = NOW - 10 * 86400
    codexd.answers["thread/list"] = Database(*many(), archived=[made(old)])
    assert full_id(client, id_of(old)[:8]) == id_of(old)


@pytest.mark.parametrize("cursors", [True, False])
def test_an_id_that_does_not_tell_its_time_is_found_in_the_end(client, codexd, cursors):
    """Also where a Codex has other cursors than the known ones: then all pages are looked through."""
    strange = thread(id="01a00000-0000-7000-8000-000000000000", createdAt=NOW)
    codexd.answers["thread/list"] = Database(strange, *many(), cursors=cursors)
    assert full_id(client, "01a00000") == strange["id"]
    assert full_id(client, id_of(NOW - 3600)[:8]) == id_of(NOW - 3600)


def test_a_beginning_that_several_ids_have_is_refused(client, codexd):
    """With those that were seen first."""
    codexd.answers["thread/list"] = Database(*many(2))
    first, second = sorted(id_of(NOW - 3600 * hours) for hours in range(2))
    common = next(at for at in range(36) if first[at] != second[at])
    for beginning in (first[:common], "0"):
        with pytest.raises(Failure) as refused:
            full_id(client, beginning)
        assert str(refused.value) == f"several ids begin with {beginning}:\n  {first}\n  {second}"


def test_a_name_will_do_if_one_thread_has_it(client, codexd):
    """The whole name; what else holds the word is passed over, and an id that begins so comes first."""
    named = made(NOW, name="a day")
    codexd.answers["thread/list"] = Database(
        named,
        made(NOW - 60, name="a day later"),
        made(NOW - 120, preview="what a day"),
        made(NOW - 180, name=id_of(NOW)[:12]),
        archived=[made(NOW - 240, name="twice"), made(NOW - 300, name="twice")],
    )
    assert full_id(client, "a day") == named["id"]
    assert full_id(client, id_of(NOW)[:12]) == named["id"]
    with pytest.raises(Failure, match="several threads are called twice:\n  "):
        full_id(client, "twice")
    for unknown in ("day", "abc"):
        with pytest.raises(Failure) as refused:
            full_id(client, unknown)
        assert str(refused.value) == (
            f"no thread's id begins with {unknown}, and none is called so; `codexctl threads --all` lists them"
        )


def test_the_time_limit_holds_for_the_search(client, codexd):
    """It is many requests."""
    codexd.answers["thread/list"] = Database(*many())
    with pytest.raises(TimeoutError):
        full_id(client, "abc", TimeLimit(0.0))


def test_all_pages_are_one_list(client, codexd):
    """Every provider's threads, from the database; from the files where that has none."""
    codexd.answers["thread/list"] = database = Database(*many(8), files=many(9))
    assert len(all_threads(client, {"cwd": "/d"})) == 8
    assert database.asked[1].pop("cursor")
    assert database.asked[1] == {"limit": 100, "modelProviders": [], "cwd": "/d", "useStateDbOnly": True}
    codexd.answers["thread/list"] = Database(files=many(9))
    assert len(all_threads(client, {})) == 9


def test_the_latest_thread_is_codexs_first(client, codexd):
    """Of one directory, by its last use; the files are asked where the database has none."""
    codexd.answers["thread/list"] = database = Database(*many(3))
    latest = latest_thread(client, "/d")
    assert latest is not None
    assert latest["id"] == id_of(NOW)
    query = {"cwd": "/d", "limit": 1, "sortKey": "updated_at", "modelProviders": [], "useStateDbOnly": True}
    assert database.asked == [query]
    codexd.answers["thread/list"] = Database(files=many(1))
    latest = latest_thread(client, "/d")
    assert latest is not None
    assert latest["id"] == id_of(NOW)
    codexd.answers["thread/list"] = Database()
    assert latest_thread(client, "/d") is None

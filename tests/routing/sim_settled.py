"""What must be so when everything has run dry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.routing.oracle_books import Books, Life
from tests.routing.oracle_threads import ThreadView
from tests.routing.sim_codex import NEVER_ANSWERED, SimulatedCodex
from tests.routing.sim_words import Asked, Wrong

if TYPE_CHECKING:
    from tests.routing.simulation import World


def check_settled(world: World) -> None:
    """Raises `Wrong` for whatever was forgotten."""
    world.look()
    world.oracle.events.runs.check()
    books = world.oracle.books
    if books.life not in (Life.READY, Life.DOWN, Life.STOPPING):
        raise Wrong(f"Codex is {books.life.name} for ever")
    for client, open_requests in books.requests.open.items():
        for asked in open_requests.values():
            may_wait = asked.method == NEVER_ANSWERED or _is_unknown_end(books, asked)
            if not may_wait or not asked.number or books.life is not Life.READY:
                raise Wrong(f"client {client} never got an answer to {asked}")
        if books.notes[client] and books.life is Life.READY:
            raise Wrong(f"a notification of client {client} never reached Codex")
        if books.clients[client].paused:
            raise Wrong(f"client {client} is never read again")
    if books.releases.waiting:
        raise Wrong(f"the end of these threads never came: {books.releases.waiting}")
    books.counts["settled"] += 1
    if not books.is_open() and world.router.deadline() is not None:
        raise Wrong("there is nothing to wait for, and codexd wakes up")
    if books.life is Life.READY and world.codex is not None:
        _check_threads(world, world.codex)
        _check_handles(world, world.codex)


def _check_threads(world: World, codex: SimulatedCodex) -> None:
    books = world.oracle.books
    for view in books.threads:
        if view.resuming:
            raise Wrong(f"{view.id} is resumed for ever")
        if view.missing and (view.turn is None or view.turn in view.missing or view.at_rest):
            raise Wrong(f"the ends of these turns of {view.id} never come: {view.missing}")
        if view.followers and view.id not in codex.threads.subscribed:
            raise Wrong(
                f"{set(view.followers)} follow {view.id}, but codexd is not subscribed to it any more"
            )
        if view.backlog:
            raise Wrong(f"events of the sub-agent {view.id} are kept for ever")
    for thread in codex.threads.subscribed:
        view = books.threads.get(thread)
        if view is None or not view.known:
            raise Wrong(f"codexd does not know any more that it is subscribed to {thread}")
        in_use = any(_is_in_use(world, relative) for relative in books.threads.family(thread))
        if not books.threads.followers(thread) and not in_use:
            raise Wrong(f"nobody follows {thread}, nothing happens in it, and it is never released")


def _is_unknown_end(books: Books, asked: Asked) -> bool:
    """Whether Codex does not answer an interrupt, and codexd can't know that its turn has ended."""
    view = books.threads.get(asked.thread)
    return asked.method == "turn/interrupt" and (view is None or asked.turn not in view.ended)


def _is_in_use(world: World, view: ThreadView) -> bool:
    books = world.oracle.books
    asked = books.asks.undecided(view.id) or books.requests.is_asked_of(view.id)
    return view.turn is not None or view.resuming or bool(asked)


def _check_handles(world: World, codex: SimulatedCodex) -> None:
    books = world.oracle.books
    if books.requests.to_end:
        raise Wrong(f"nobody ends what was asked by clients who are gone: {books.requests.to_end}")
    for opener, name in codex.handles.open:
        client, word = books.handles.owners[name]
        if client not in books.clients:
            raise Wrong(f"{opener} {name!r} of client {client}, who is gone, is never closed")
        if opener == "fs/watch" and (client, opener, word) not in books.handles.open:
            raise Wrong(f"client {client} does not watch {word!r}, but Codex does")
    for (client, opener, word), name in books.handles.open.items():
        if opener == "fs/watch" and (opener, name) not in codex.handles.open:
            raise Wrong(f"client {client} watches {word!r}, but Codex does not")

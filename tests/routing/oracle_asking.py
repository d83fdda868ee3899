"""Who must be asked what Codex asks, as the oracle sees it."""

from collections.abc import Callable

from tests.routing.oracle_asks import AskView
from tests.routing.oracle_books import Books, Expected
from tests.routing.sim_words import ADDITIONAL, ID, SERVER_REQUEST, Envelope, Wrong

_TO_ONE = frozenset({"currentTime/read", "attestation/generate"})
_VERIFIES = b'"mode":"openai/userVerification"'
_FOR_HUMANS = b'"kind":"humanCommand"'


class AskingSide:
    """Says whom a request of Codex is for, and takes down who was asked."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def entitled(self, ask: AskView) -> frozenset[int]:
        """Those who could answer it, as things are."""
        books, method = self._books, ask.said.method
        if ask.thread is None:
            clients = books.everybody()
        else:
            view = books.threads.get(ask.thread)
            clients = books.threads.followers(ask.thread) if view is not None and view.known else frozenset()
        claims = {client: books.clients[client].claims for client in clients}
        if _FOR_HUMANS in ask.said.template:
            return frozenset(c for c, said in claims.items() if said.humans and said.experimental)
        if method == "attestation/generate":
            return frozenset(c for c, said in claims.items() if said.attests)
        if method == "item/tool/call":
            return clients & {books.threads.declarer(ask.thread)} or clients
        if method == "account/chatgptAuthTokens/refresh":
            return clients & {books.token_login} or clients
        return clients

    def offers(self, ask: AskView) -> list[Expected]:
        """What must be said now: to those who could answer and have not been asked, under one id.

        Not to those who have resumed the thread and for whom Codex will repeat it.
        """
        if ask.decided:
            return []
        clients = self.entitled(ask).difference(ask.repeats)
        if self._is_for_one(ask):
            is_due = clients and not ask.asked
            return [self._asking(ask, clients, ask.said.template, to_one=True)] if is_due else []
        return self._offers_to(ask, clients.difference(ask.asked))

    def will_be_repeated(self, thread: str, client: int) -> None:
        """Codex repeats for a client that has resumed the thread what waits there; a question to one it never does."""
        for ask in self._books.asks.undecided(thread):
            if not self._is_for_one(ask):
                ask.repeats.append(client)

    def offers_again(self, ask: AskView, client: int) -> list[Expected]:
        """Codex repeats it for a client that has resumed the thread: was it asked before or not, it must be asked now."""
        may_be_asked = client in self.entitled(ask) and not (self._is_for_one(ask) and ask.asked)
        if client not in ask.asked and not may_be_asked:
            return []
        self._books.counts["asked again"] += client in ask.asked
        return self._offers_to(ask, frozenset({client}))

    @staticmethod
    def _is_for_one(ask: AskView) -> bool:
        return ask.said.method in _TO_ONE or _VERIFIES in ask.said.template

    def _offers_to(self, ask: AskView, new: frozenset[int]) -> list[Expected]:
        template = ask.said.template
        if ADDITIONAL not in template:
            return [self._asking(ask, new, template)] if new else []
        seeing = frozenset(c for c in new if self._books.clients[c].claims.experimental)
        said = [(seeing, template), (new - seeing, template.replace(b"," + ADDITIONAL, b""))]
        return [self._asking(ask, some, text) for some, text in said if some]

    def offer_of_family(self, thread: str) -> None:
        """Somebody follows the thread, or it is known now: what waits there and below is offered."""
        for ask in self._books.asks.undecided(thread):
            self._books.loose.extend(self.offers(ask))
        self.offer_below(thread)

    def offer_below(self, thread: str) -> None:
        """Somebody follows its sub-agents' threads, too: what waits there is offered."""
        for followed in self._books.threads.descendants(thread):
            for ask in self._books.asks.undecided(followed.id):
                self._books.loose.extend(self.offers(ask))

    def offer_again(self) -> None:
        """Somebody is asked no more: what nobody is asked any more is for those who can stand in."""
        for ask in self._books.asks.undecided():
            if not ask.asked and ask.thread is not None and (offers := self.offers(ask)):
                self._books.counts["asked in the place of another"] += 1
                self._books.loose.extend(offers)

    def _asking(
        self, ask: AskView, clients: frozenset[int], template: bytes, *, to_one: bool = False
    ) -> Expected:
        before, after = template.split(ID)

        def is_it(line: bytes, _: Envelope) -> bool:
            if not (line.startswith(before) and line.endswith(after)):
                return False
            self.learn(ask, int(line[len(before) : len(line) - len(after)]))
            return True

        def done() -> None:
            ask.asked.update(dict.fromkeys(sorted(expected.clients)))
            self._books.counts["asked"] += len(expected.clients)
            self._books.counts[f"asked {ask.said.method}"] += 1

        what = f"{ask.said.method} of {ask.thread}"
        expected = Expected(clients, check=is_it, then=done, what=what, to_one=to_one)
        return expected

    def is_told(self, ask: AskView) -> Callable[[bytes, Envelope], bool]:
        """A check for the event that Codex asks this."""
        said, params = ask.said, ask.said.template.partition(b'"params":')[2][:-1]
        assert said.thread is not None, "it is an event of that thread"
        before = b'{"method":"%b","params":{"id":' % SERVER_REQUEST.encode()
        after = b',"threadId":"%b","method":"%b","params":%b}}' % (
            said.thread.encode(),
            said.method.encode(),
            params,
        )

        def is_it(line: bytes, _: Envelope) -> bool:
            number = line[len(before) : len(line) - len(after)]
            if not number.isdigit() or line != before + number + after:
                return False
            self.learn(ask, int(number))
            return True

        return is_it

    def is_called(self, ask: AskView, number: int) -> bool:
        """Whether codexd calls it so; one that nobody was asked has a name that nobody knows yet."""
        if ask.id is None and number not in self._books.asks.used:
            self.learn(ask, number)
        return number == ask.id

    def learn(self, ask: AskView, number: int) -> None:
        """This is what codexd calls it."""
        if ask.id is not None:
            if number != ask.id:
                raise Wrong(f"the request {ask.id} was offered again as {number}")
            return
        if number in self._books.asks.used or not 0 <= number < 2**53:
            raise Wrong(f"the id {number} was used before, or is no integer below 2^53")
        self._books.asks.used.add(number)
        self._books.asks.by_id[number] = ask
        self._books.asks.recent.append(number)
        ask.id = number

"""The simulation is worth something: a runtime that is broken by hand, in any of these ways, does not get through it."""

import pytest

from tests.planted import run_with_fault

SEEDS = 1000
"""So many at most; most faults are found within the first twenty."""

FAULTS = {
    "a socket that is made anew is one at which nobody accepts": (
        "broker.py",
        "            self._doors.open(new)\n",
        "",
    ),
    "who waits at a socket that is made anew is forgotten": (
        "accept.py",
        "                    connection = _accepted(listener)\n                except BlockingIOError:",
        "                    raise BlockingIOError\n                except BlockingIOError:",
    ),
    "time goes back when the clock is set back": (
        "wall_clock.py",
        "        if late > SLEPT_SECONDS:\n",
        "        if abs(late) > SLEPT_SECONDS:\n",
    ),
    "what comes while something is queued is dropped": (
        "write_queue.py",
        "            self._queue.append(chunk)\n            self.queued_bytes += len(chunk)\n",
        "            self.queued_bytes += 0\n",
    ),
    "what the kernel took a part of is sent again from its beginning": (
        "write_queue.py",
        "            self._queue[0] = memoryview(self._queue[0])[sent:]\n",
        "            self._queue[0] = memoryview(self._queue[0])\n",
    ),
    "the rest of a chunk is forgotten when the next one fits": (
        "write_queue.py",
        "            self._queue.append(memoryview(chunk)[sent:] if sent else chunk)\n",
        "            self._queue.append(chunk)\n",
    ),
    "a client that is cut off is not told why": (
        "outbox.py",
        "        self.finish(last)\n",
        "        str(last)\n",
    ),
    "a client that is cut off has no time to read why": (
        "session.py",
        "                await self.outbox.wait_rest_sent()\n",
        "",
    ),
    "an outbox has no end": (
        "outbox.py",
        "        if self.is_stalled():\n",
        "        if False:\n",
    ),
    "all outboxes together have no end": (
        "budget.py",
        "        if self._total > self._limit:\n            self._relieve()\n",
        "",
    ),
    "an outbox is full too early": (
        "outbox.py",
        "        return self.queued_bytes > self._limit\n",
        "        return self.queued_bytes > self._limit // 2\n",
    ),
    "what a client does not read in time is forgotten": (
        "outbox.py",
        "            self._backlog.add(self._open)\n",
        "            self._backlog.add(b'')\n",
    ),
    "a stretch ends with its first page": (
        "outbox.py",
        "        if stretch.next > self._last_of(stretch):\n",
        "        if page.events:\n",
    ),
    "bytes overtake stretches": (
        "outbox.py",
        "        if self._backlog and not self._has_its_turn:\n            self._close()\n            self._backlog.add(chunk)\n",
        "        if False:\n            pass\n",
    ),
    "a view changes before what was seen through the old one": (
        "delivery.py",
        "        self.flush()\n        outbox = ",
        "        outbox = ",
    ),
    "events of ephemeral threads are read back": (
        "delivery.py",
        "        if event.ephemeral:\n",
        "        if False:\n",
    ),
    "one end of a burst has the number of the other": (
        "delivery.py",
        "        self._last = event.seq\n",
        "        self._last = self._last or event.seq\n",
    ),
    "an open stretch takes what is said between events along": (
        "outbox.py",
        "            self._close()\n            self._backlog.add(chunk)\n",
        "            self._backlog.add(chunk)\n",
    ),
    "who has caught up lags for ever": (
        "outbox.py",
        "            if stretch is self._open:\n                self._close()\n",
        "            self._open = None\n",
    ),
    "who lags is given events all the same": (
        "delivery.py",
        "            clients = self._lag.keeping_up(clients)\n",
        "            pass\n",
    ),
    "events leave the memory before they are committed": (
        "timeline.py",
        "ring.oldest().seq <= self._committed\n",
        "ring.oldest().seq <= self._last\n",
    ),
    "what can't be read just now is left out": (
        "timeline.py",
        "                if lenient and self._history is None:\n",
        "                if lenient:\n",
    ),
    "retention is not remembered": (
        "timeline.py",
        "        self._floor = max(self._floor, floor)\n",
        "        return floor\n",
    ),
    "ephemeral threads are forgotten": (
        "timeline.py",
        "        if not self._ephemeral.bytes:\n            return page\n",
        "        if True:\n            return page\n",
    ),
    "a gap begins too late": (
        "timeline.py",
        "        begin = after + 1 if after else self._born()\n",
        "        begin = after + 9 if after else self._born()\n",
    ),
    "what was lost in an earlier life is not missed": (
        "timeline.py",
        "        self._lost = list(self._history.lost) if self._history else []\n",
        "        self._lost = []\n",
    ),
    "the last event of a page is left out": (
        "ring.py",
        "self._events[at].seq <= last:",
        "self._events[at].seq < last:",
    ),
    "the timeline is not closed": (
        "broker.py",
        "            self._timeline.close()\n",
        "            pass\n",
    ),
    "what was said before the transport was known is forgotten": (
        "session.py",
        "        return begun\n",
        "        return chunk\n",
    ),
    "a burst is handed in as far as it goes in one turn": (
        "session.py",
        "            for at in range(0, len(lines), LINES_PER_TURN):\n",
        "            for at in range(0, len(lines[:3]), 3):\n",
    ),
    "who closes one side waits for nothing": (
        "session.py",
        "                await self._linger(desk)\n",
        "",
    ),
    "chunks of different recipients are joined": (
        "delivery.py",
        "        if self._first or (clients is not self._clients and clients != self._clients):\n",
        "        if not self._clients:\n",
    ),
    "what is for Codex overtakes": (
        "broker.py",
        "            chunk = LINES.chunk(lines)\n",
        "            chunk = LINES.chunk(lines[::-1])\n",
    ),
    "frames are lines": (
        "broker.py",
        "        self._on_frames.add(client)\n",
        "        pass\n",
    ),
    "nobody wakes up when it is time": (
        "broker.py",
        "            self._alarm.deadline = at\n",
        "            pass\n",
    ),
    "nobody is given time to read at the end": (
        "broker.py",
        "            await self._flush()\n",
        "",
    ),
    "half a line of Codex is a line": (
        "codex.py",
        "            lines = self._splitter.feed(chunk)\n",
        "            lines: list[bytes | TooLong] = [*chunk.splitlines()]\n",
    ),
    "a Codex that will not end is waited for": (
        "codex.py",
        '                logger.warning("Codex goes on after SIGTERM: SIGKILL")\n        self._process.kill()\n',
        '                logger.warning("Codex goes on after SIGTERM: SIGKILL")\n        if self._at_once.is_set():\n'
        "            self._process.kill()\n",
    ),
    "a search for Codex can't be given up": (
        "supervisor.py",
        "        self._search.cancel()\n        if self._codex",
        "        if self._codex",
    ),
    "a Codex that was stopped before it ran goes on": (
        "supervisor.py",
        "            codex.stop()\n        try:\n",
        "            pass\n        try:\n",
    ),
    "a Codex that can't be had is the end": (
        "supervisor.py",
        "        except CodexUnavailable as unavailable:\n",
        "        except ZeroDivisionError as unavailable:\n",
    ),
    "nobody is told that Codex has ended": (
        "supervisor.py",
        "            self._codex = None\n            self._reports.codex_exited(incarnation, reason)\n",
        "            self._codex = None\n",
    ),
    "that Codex has ended is told too late": (
        "supervisor.py",
        "            self._codex = None\n            self._reports.codex_exited(incarnation, reason)\n",
        "            await trio.sleep(2.1)\n            self._codex = None\n"
        "            self._reports.codex_exited(incarnation, reason)\n",
    ),
    "without a descriptor to spare nobody comes in any more": (
        "accept.py",
        "            exhausted = True\n            await trio.sleep(RETRY_SECONDS)\n",
        "            await trio.sleep_forever()\n",
    ),
    "a thread that can't be had is the end": (
        "machine.py",
        "        except NoThread as shortage:\n            raise Codex",
        "        except ZeroDivisionError as shortage:\n            raise Codex",
    ),
    "processes that can't be looked at are the end": (
        "machine.py",
        '        except (OSError, MemoryError) as error:\n            logger.error("what Codex',
        '        except ZeroDivisionError as error:\n            logger.error("what Codex',
    ),
    "a process that can't be started is the end": (
        "codex.py",
        "            except (OSError, MemoryError) as error:\n",
        "            except ZeroDivisionError as error:\n",
    ),
    "words of Codex that are lost for want of memory are the end": (
        "codex.py",
        "        except MemoryError:  # what it said is lost",
        "        except ZeroDivisionError:  # what it said is lost",
    ),
    "a read that gets no memory is the end": (
        "session.py",
        "memory.has() else None\n        except MemoryError:\n",
        "memory.has() else None\n        except ZeroDivisionError:\n",
    ),
    "who waits for memory waits for ever": (
        "session.py",
        "            if chunk is None and not lines:\n                await trio.sleep(memory.RETRY_SECONDS)\n",
        "            if chunk is None and not lines:\n                await trio.sleep_forever()\n",
    ),
    "what is thrown away takes memory or is the end": (
        "session.py",
        "        except MemoryError:\n            await trio.sleep(memory.RETRY_SECONDS)\n",
        "        except ZeroDivisionError:\n            await trio.sleep(memory.RETRY_SECONDS)\n",
    ),
    "before the handshake a client is told in frames why it is let go of": (
        "session.py",
        "        if self._speaks_frames and not self._transport.going_away():",
        "        if False:",
    ),
    "a connection that gets no memory is the end": (
        "accept.py",
        "    except MemoryError:\n",
        "    except ZeroDivisionError:\n",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught(fault: str) -> None:
    """It ends one of the simulated worlds; all of them go well without it (`test_simulation`)."""
    file, sound, broken = FAULTS[fault]
    simulated = run_with_fault(
        f"codexd/runtime/{file}", sound, broken, "tests.simulation", "--seeds", "0", str(SEEDS)
    )
    assert simulated.returncode != 0, "no world noticed"
    said = [line for line in simulated.stderr.splitlines() if " fails: " in line]
    assert said, simulated.stderr
    print(said[0])

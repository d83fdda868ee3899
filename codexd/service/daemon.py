"""codexd in the foreground: locks, the socket, signals, and the broker in their midst.

    services: signals, watchdog, readiness      end when the broker has ended
    └── the broker                              serves until it is told to stop

Locks, socket and the demo's model belong to one exit stack, which unwinds when the broker has left no process behind.
"""

import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import trio

from codexd import __version__
from codexd.protocol.errors import CodexdError
from codexd.protocol.program import sentence_of
from codexd.protocol.running import Holder
from codexd.protocol.sandbox import mark_of, why_not_to_start
from codexd.routing.router import Identity
from codexd.runtime import memory
from codexd.runtime.broker import Broker
from codexd.runtime.codex import CodexUnavailable, Launch
from codexd.runtime.limits import Limits
from codexd.runtime.machine import ThisMachine
from codexd.runtime.observability import ObservabilityLog
from codexd.runtime.processes import is_process_table_there
from codexd.runtime.threads import NoThread, in_thread, reserve
from codexd.runtime.timeline import Timeline
from codexd.runtime.trust import ProjectTrust
from codexd.service import (
    control_socket,
    inherited,
    kept_options,
    locks,
    log_file,
    secret_overrides,
    settings as settings_module,
    sockets,
)
from codexd.service.arguments import DRAIN_SECONDS
from codexd.service.codex_launch import Launcher, check_directories
from codexd.service.errors import CannotServe
from codexd.service.home_claim import HomeClaim
from codexd.service.instance import how_to_talk
from codexd.service.keeping import archive_of, kept_file
from codexd.service.settings import Settings
from codexd.service.systemd import Starter
from codexd.service.terminal import Terminal
from codexd.service.unserved import turn_away
from codexd.service.upkeep import Grounds, Upkeep

logger = logging.getLogger(__name__)

STOP_SECONDS = 4.5
"""When the broker has not ended by then it is cut off: the promise is five seconds from the end of the drain."""


def run(flags: Mapping[str, Any], arguments: tuple[str, ...], detached: bool, demo: bool) -> None:
    """Serves until a signal says stop.

    Args:
        flags: the settings given on the command line, as `settings.load` takes them.
        arguments: the same as they have to be given again for a restart.
        detached: whether the log is the log file alone; stderr is that file already.
        demo: whether Codex gets the scripted model, which this process then is.

    Raises:
        CodexdError: codexd cannot serve; the starter and clients that already wait have been told why.
    """
    starter = Starter.taken_from(os.environ)
    try:
        _run(starter, flags, arguments, detached, demo)
    except CodexdError as refusal:
        _say_why(starter, str(refusal))
        raise
    except OSError as error:
        logger.critical("the system refuses what codexd needs", exc_info=_traced(error, detached))
        _say_why(starter, sentence_of(error))
        raise CannotServe(sentence_of(error)) from error
    except BaseException as error:
        logger.critical("codexd ends: this should not have happened", exc_info=_traced(error, detached))
        _say_why(starter, sentence_of(error))
        raise
    finally:
        starter.close()


def _traced(error: BaseException, detached: bool) -> BaseException | None:
    """What the log is told of an error: in the foreground it is on the user's terminal, where no traceback belongs."""
    return error if detached or os.environ.get("CODEXD_DEBUG") == "1" else None


def _run(
    starter: Starter, flags: Mapping[str, Any], arguments: tuple[str, ...], detached: bool, demo: bool
) -> None:
    settings = settings_module.load(flags, os.environ)
    if (sentence := why_not_to_start(os.environ, str(settings.codex_home))) is not None:
        raise CannotServe(sentence)
    if not is_process_table_there():
        # Codex ends at once, with "Codex executable path is not configured" (0.163, 0.171).
        raise CannotServe(
            "/proc is not there, and neither Codex nor codexd works without it; mount -t proc proc /proc"
        )
    left = inherited.put_right()
    check_directories(settings, os.environ, demo)
    log = log_file.configure(settings, os.environ, detached)
    for sentence in left:
        logger.warning("%s; restart codexd from another shell", sentence)
    trio.run(Daemon(settings, starter, arguments, log, demo).run)


def _say_why(starter: Starter, sentence: str) -> None:
    """To the starter, and to clients that wait already."""
    starter.tell(STATUS=sentence)
    for listener in starter.listeners:
        turn_away(listener, sentence)


class Ending:
    """What a demand to stop does: the first asks for the end, and the next ends the wait for running turns, or cuts off.

    `ask` is what asking means at the moment, which is something else before there is a broker. It is given the seconds to
    wait for running turns, and returns False when nothing is left that could be shortened.
    """

    def __init__(self, ask: Callable[[float], bool]) -> None:
        self.scope = trio.CancelScope()
        self.ask = ask
        self.requested = False

    def request(self, drain: float = DRAIN_SECONDS) -> None:
        """Takes the next demand to stop, with the seconds to wait for running turns."""
        if self.requested:
            drain = 0.0
        self.requested = True
        if self.ask(drain):
            self.scope.deadline = trio.current_time() + drain + STOP_SECONDS
        else:
            logger.warning("told to stop again: not waiting any longer")
            self.scope.cancel()


class Daemon:
    """One codexd from its locks to its end."""

    def __init__(
        self,
        settings: Settings,
        starter: Starter,
        arguments: tuple[str, ...],
        log: log_file.LogFile | None,
        demo: bool,
    ) -> None:
        self._settings = settings
        self._starter = starter
        self._arguments = arguments
        self._log = log
        self._demo = demo
        self._observability = ObservabilityLog(
            log_file.observability_path_of(settings, os.environ), settings.log_content
        )
        self._launcher = Launcher(settings, os.environ)
        self._ending = Ending(self._give_up)
        self._terminal = Terminal()
        self._announced = False
        self._upkeep: Upkeep | None = None

    async def run(self) -> None:
        """Serves until a signal says stop.

        Raises:
            CodexdError: it never came to serving.
        """
        refusal: CodexdError | None = None
        wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        with trio.open_signal_receiver(*wanted) as signals, self._ending.scope:
            async with trio.open_nursery() as services:
                services.start_soon(self._obey, signals)
                services.start_soon(self._starter.feed_watchdog)
                try:
                    await self._serve(services)
                except CodexdError as error:
                    refusal = error
                services.cancel_scope.cancel()
        if refusal is not None and not self._ending.requested:
            raise refusal
        logger.info("codexd (pid %d) has ended", os.getpid())

    async def _serve(self, services: trio.Nursery) -> None:
        with ExitStack() as stack:
            try:
                stack.enter_context(memory.reserve())
                stack.enter_context(reserve())
                observe = stack.enter_context(self._observability).put
            except NoThread as shortage:
                raise CannotServe(f"codexd needs a few threads: {shortage.strerror}") from None
            grounds = await self._take_what_is_ours(stack)
            identity = self._identity(grounds.sockets[0].listener.getsockname())
            archive = await in_thread(archive_of, self._settings, os.environ)
            timeline = Timeline(archive)
            record = locks.process_record(os.environ, self._settings.codex_home)
            machine = ThisMachine(partial(self._launch, grounds.claim), record, sweeps=self._settings.sweep)
            mark = mark_of(os.environ, str(self._settings.codex_home))
            trust = ProjectTrust(str(self._settings.codex_home), self._settings.codex_config)
            broker = Broker(
                identity,
                machine,
                timeline,
                self._limits(),
                observe=observe,
                mark=mark,
                on_stop=self._ending.request,
                would_trust=trust.would_be_written,
            )
            kept = kept_file(self._settings, os.environ, timeline.look_for_archive)
            parts = [*grounds.parts(broker.replace_listener), *kept]
            self._upkeep = Upkeep(parts, self._keep_again, partial(self._ending.request, 0.0))
            async with trio.open_nursery() as serving:
                await serving.start(broker.run, [own.listener for own in grounds.sockets])
                grounds.claim.listens()
                self._ending.ask = partial(self._stop, broker)
                services.start_soon(self._announce, broker, identity)
                services.start_soon(self._upkeep.run)
                if not all(own.is_whole() for own in grounds.sockets):
                    self._upkeep.ask()  # one that was handed over may be gone already

    def _launch(self, claim: HomeClaim) -> Launch:
        """What to spawn now, in a worker thread; nothing for a CODEX_HOME that may be another codexd's by now."""
        if claim.is_displaced():
            trio.from_thread.run_sync(self._look_after)
            raise CodexUnavailable(
                f"the CODEX_HOME {claim.path} has been replaced by another directory, which codexd has yet to lock"
            )
        return self._launcher.launch()

    async def _take_what_is_ours(self, stack: ExitStack) -> Grounds:
        """Locks, Codex and sockets, in this order: who runs already is the better answer than what is missing."""
        settings = self._settings
        handed = list(self._starter.listeners)
        path = Path(handed[0].getsockname()) if handed else settings.socket
        state = locks.home_directory(os.environ, settings.codex_home)
        machine = os.uname().nodename
        holder = Holder(os.getpid(), str(path), str(settings.codex_home), machine, state=str(state))
        claim = HomeClaim(settings.codex_home, holder)
        stack.callback(claim.drop)
        claim.take()
        sockets.make_private_directory(state)
        lock = stack.enter_context(locks.held(locks.home_lock(os.environ, settings.codex_home), holder))
        self._keep_options(state)
        stack.callback(kept_options.forget, state)
        await in_thread(self._launcher.prepare)
        if self._demo:
            # Late: only the demo pays for an HTTP server.
            from codexd.demo.scripted_model import ScriptedModel

            model = stack.enter_context(ScriptedModel())
            model.write_config(settings.codex_home)
        served = [
            stack.enter_context(sockets.listening(path, holder, next(iter(handed), None))),
            *(
                stack.enter_context(
                    sockets.OwnSocket(Path(further.getsockname()), sockets.private_listener, None, further)
                )
                for further in handed[1:]
            ),
        ]
        if settings.control_socket:
            served.append(stack.enter_context(control_socket.listening(settings.codex_home)))
        return Grounds(claim, lock, served)

    def _identity(self, socket_path: str) -> Identity:
        settings = self._settings
        return Identity(
            pid=os.getpid(),
            version=__version__,
            socket=socket_path,
            codex_home=str(settings.codex_home),
            started_at=time.time(),
            client_name=settings.client_name,
            request_attestation=settings.request_attestation,
            thread_unload_delay=settings.thread_unload_delay_seconds,
            is_observed=True,
            codex_silence=settings.codex_silence_seconds,
            inside=settings.inside,
            thread_config=secret_overrides.of_threads(settings.codex_config),
            environment=self._launcher.names(),
        )

    def _limits(self) -> Limits:
        return Limits(
            max_message_bytes=self._settings.max_message_bytes,
            max_buffered_bytes=self._settings.max_buffered_bytes,
            max_outbox_bytes=self._settings.max_outbox_bytes,
            max_outboxes_bytes=self._settings.max_outboxes_bytes,
            stalled_seconds=self._settings.stalled_seconds,
            spill_bytes=self._settings.outbox_spill_bytes,
        )

    async def _announce(self, broker: Broker, identity: Identity) -> None:
        reason = await broker.wait_codex_settled()
        status = "serving" if reason is None else f"serving; Codex was not available at the start: {reason}"
        logger.info(
            "codexd %s (pid %d) is %s; socket %s", __version__, os.getpid(), status, self._settings.socket
        )
        if self._demo:
            logger.info("talk to it with: %s", how_to_talk(self._settings))
        self._announced = True
        self._starter.tell(READY="1", STATUS=status)

    def _give_up(self, _: float) -> bool:
        self._launcher.abandon()
        self._ending.scope.cancel()
        return True

    def _stop(self, broker: Broker, drain: float) -> bool:
        logger.info("stopping")
        self._starter.tell(STOPPING="1", STATUS="stopping")
        self._launcher.abandon()
        return broker.stop(drain)

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if number == signal.SIGHUP and not self._terminal.is_gone():
                self._look_after()
                self._reopen_log()
            else:
                self._ending.request()

    def _look_after(self) -> None:
        if self._upkeep is not None:
            self._upkeep.ask()

    def _keep_again(self) -> None:
        """What was in a directory that had to be made anew."""
        self._keep_options(locks.home_directory(os.environ, self._settings.codex_home))
        self._reopen_log()

    def _keep_options(self, directory: Path) -> None:
        try:
            kept_options.keep(directory, self._arguments)
        except OSError as error:
            logger.warning("the options for a restart cannot be kept in %s: %s", directory, error.strerror)

    def _reopen_log(self) -> None:
        if self._announced:
            self._starter.tell_reloading()
        if self._log is not None:
            self._log.reopen()
        self._observability.reopen()
        logger.info("the log goes on")
        if self._announced:
            self._starter.tell(READY="1")

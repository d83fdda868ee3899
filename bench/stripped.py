"""`codexd run` without some of its parts, to see what they cost: `python -m bench.stripped [timeline | log]...`."""

import sys
from collections.abc import Callable, Sequence

from codexd.routing.effects import Observed
from codexd.routing.events import Event
from codexd.runtime.observability import ObservabilityLog
from codexd.runtime.timeline import Timeline
from codexd.service import main as codexd


def _without_timeline() -> None:
    """Nothing is kept, so what waits for a client waits as bytes."""

    def append(timeline: Timeline, event: Event) -> None:
        timeline.keeps = False

    setattr(Timeline, "append", append)  # noqa: B010, to mypy it is a method


def _without_log() -> None:
    """What Codex says is not written to `sse_lines.jsonl`."""

    def put(log: ObservabilityLog, burst: Sequence[Observed]) -> None:
        return

    setattr(ObservabilityLog, "put", put)  # noqa: B010, as above


PARTS: dict[str, Callable[[], None]] = {"timeline": _without_timeline, "log": _without_log}


def main() -> None:
    """Takes the parts out and runs the rest."""
    for part in sys.argv[1:]:
        PARTS[part]()
    sys.argv[1:] = ["run"]
    codexd.main()


if __name__ == "__main__":
    main()

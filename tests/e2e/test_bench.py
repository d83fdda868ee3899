"""The benchmark runs, prints its table, and leaves nothing behind."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.e2e.harness import World
from tests.ends import wait_for_ends

pytestmark = pytest.mark.e2e
CHECKOUT = Path(__file__).parents[2]


def _bench(world: World, *arguments: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "bench", *arguments]
    return world.spawn(argv, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_it_prints_a_table_and_writes_its_samples(world: World) -> None:
    """One measurement of all four servers, small; no figure is asserted."""
    file = world.root / "figures.json"
    bench = _bench(world, "--quick", "--json", str(file), "round-trip")
    out, err = bench.communicate(timeout=120)
    assert bench.returncode == 0, err.decode()
    assert b"| one cheap request, p50 | direct stdio" in out
    rows = json.loads(file.read_text())["rows"]
    assert [len(row["codexd"]) for row in rows] == [5, 5, 5]


def test_interrupted_it_ends_what_it_started(world: World) -> None:
    """SIGTERM in the middle of a measurement: no server, no Codex, no directory is left."""
    bench = _bench(world, "round-trip")
    shared_server = None
    while shared_server is None:
        assert bench.poll() is None
        started = psutil.Process(bench.pid).children(recursive=True)
        shared_server = next((process for process in started if _has_word(process, "--listen")), None)
    directory = Path(shared_server.environ()["HOME"]).parents[1]
    bench.send_signal(signal.SIGTERM)
    bench.communicate(timeout=60)
    assert bench.returncode == 128 + signal.SIGTERM
    assert wait_for_ends(started, 10) == []
    assert not directory.exists()


def _has_word(process: psutil.Process, word: str) -> bool:
    try:
        return word in process.cmdline()
    except psutil.NoSuchProcess:
        return False

"""Memory is asked for before it is needed, and what is under way has a reserve."""

import logging
import resource

import psutil
import pytest

from codexd.runtime import memory
from codexd.runtime.memory import COPIES, HEADROOM_BYTES, LONG_BYTES, RESERVE_BYTES
from tests.runtime.shortage import limited_memory

GIGABYTE = 1 << 30


def test_what_the_system_refuses_cannot_be_mapped() -> None:
    """By the limit of the address space, as by any other; what was mapped to find out is given back."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = psutil.Process().memory_info().vms
    assert memory.can_be_mapped(GIGABYTE)
    resource.setrlimit(resource.RLIMIT_AS, (used + GIGABYTE // 2, before[1]))
    try:
        assert not memory.can_be_mapped(GIGABYTE)
        for _ in range(20):
            assert memory.can_be_mapped(GIGABYTE // 8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


async def test_without_a_limit_there_is_always_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is tried."""
    monkeypatch.setattr(memory, "_is_limited", lambda: False)
    with memory.reserve():
        monkeypatch.setattr(memory, "_mapped", lambda count: None)
        assert memory.has(1 << 62)


@pytest.mark.parametrize(("said", "is_enough"), [("0\n", True), ("2\n", False), (None, True)])
async def test_a_system_that_commits_no_more_than_it_has_is_a_limit(
    monkeypatch, tmp_path, said, is_enough
) -> None:
    """`vm.overcommit_memory = 2`. Other systems than Linux do not tell."""
    if said is not None:
        (tmp_path / "overcommit").write_text(said)
    monkeypatch.setattr(memory, "_OVERCOMMIT", tmp_path / "overcommit")
    monkeypatch.setattr(memory, "_is_limited", lambda: False)
    with memory.reserve():
        monkeypatch.setattr(memory, "_mapped", lambda count: None)
        assert memory.has() == is_enough


async def test_the_reserve_is_given_up_for_the_headroom_and_taken_again(caplog) -> None:
    """It is said once, and once when it is over. What is long is refused before that."""
    caplog.set_level(logging.INFO, memory.logger.name)
    with limited_memory(RESERVE_BYTES + 2 * HEADROOM_BYTES) as limited, memory.reserve():
        assert memory.has()
        assert not memory.has(2 * HEADROOM_BYTES)
        assert limited.free == 2 * HEADROOM_BYTES
        limited.free -= HEADROOM_BYTES + 1
        assert memory.has()
        assert memory.has()
        assert limited.free == RESERVE_BYTES + HEADROOM_BYTES - 1
        limited.free -= RESERVE_BYTES
        assert not memory.has()
        limited.free += RESERVE_BYTES
        assert memory.has()
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        limited.free += HEADROOM_BYTES
        assert memory.has()
        assert limited.free == 2 * HEADROOM_BYTES - 1
    assert limited.free == RESERVE_BYTES + 2 * HEADROOM_BYTES - 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_long_line_needs_several_times_its_length() -> None:
    """A short one nothing but the headroom, which may be gone by now: then it is the last one for a while."""
    with limited_memory(0):
        assert memory.has_for_line(LONG_BYTES)
        assert not memory.has_for_line(LONG_BYTES + 1)
    with limited_memory(HEADROOM_BYTES + COPIES * 2 * LONG_BYTES):
        assert memory.has_for_line(2 * LONG_BYTES)
        assert not memory.has_for_line(2 * LONG_BYTES + 1)

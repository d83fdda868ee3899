import os
import select
import signal

from codexctl.interrupts import Interrupts


def test_a_signal_is_something_to_wait_for():
    """It raises nothing, makes the descriptor readable, and is reported once."""
    with Interrupts(signal.SIGUSR1, signal.SIGUSR2) as interrupts:
        assert interrupts.read() == []
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        poll = select.poll()
        poll.register(interrupts, select.POLLIN)
        assert poll.poll(10_000)
        assert interrupts.read() == [signal.SIGUSR1, signal.SIGUSR2]
        assert interrupts.read() == []


def test_afterwards_signals_are_what_they_were():
    """The handlers of before are back."""
    before = signal.getsignal(signal.SIGINT)
    with Interrupts(signal.SIGINT):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before

"""What is likely for a while: a table of weights per weather, so that rare things happen together."""

from random import Random

from msgspec import Struct


class Weather(Struct, frozen=True):
    """How often each kind of step comes, relative to the others. `pause`: seconds between two looks at the clock.

    `asleep`: how often codexd is woken long after it wanted to be. `affairs`: how much of what clients and Codex do is the affair of one client, not of all who follow a thread.
    `forgetful`: of how many turns Codex does not tell the end, or not in time. `deadly`: how often Codex dies of a rollout that
    can kill it.
    """

    name: str
    client: float = 30
    burst: float = 0.0
    take: float = 20
    answer: float = 25
    happen: float = 35
    say: float = 50
    learn: float = 2
    join: float = 0.6
    leave: float = 0.3
    die: float = 0.015
    hang: float = 0.004
    time: float = 1.0
    late: float = 1.0
    look: float = 0.5
    read: float = 2.0
    drift: float = 3.0
    load: float = 0.05
    pause: float = 3.0
    asleep: float = 0.0
    overloaded: bool = False
    failing_starts: float = 0.02
    learnt_at_once: float = 0.5
    affairs: float = 0.0
    forgetful: float = 0.1
    deadly: float = 0.0

    def actions(self) -> tuple[list[str], list[float]]:
        """The names of the steps and their weights."""
        names = [
            "client",
            "take",
            "answer",
            "happen",
            "say",
            "learn",
            "join",
            "leave",
            "die",
            "hang",
            "time",
            "late",
            "look",
            "read",
            "drift",
            "load",
        ]
        return names, [getattr(self, name) for name in names]


WEATHERS = (
    Weather("fair"),
    Weather("fair, with deaths", die=0.15),
    Weather("busy threads", happen=120, client=25),
    Weather("coming and going", join=4, leave=3),
    Weather("flood", client=60, burst=0.03, take=8, answer=10),
    Weather("slow to take", client=40, take=0.4, burst=0.01),
    Weather("slow to answer", client=40, answer=1, burst=0.01),
    Weather("overloaded", overloaded=True, client=40, time=6),
    Weather("overloaded flood", overloaded=True, burst=0.03, time=6, die=0.05),
    Weather("hanging", hang=0.2, time=20),
    Weather("hanging, and asleep itself", hang=0.5, late=6, time=10, pause=12.0, asleep=0.3),
    Weather("idle", client=0.5, happen=3, hang=0.05, time=20, join=0.1),
    Weather("crash loop", die=3, failing_starts=0.3, pause=0.1, time=3, client=40, burst=0.02),
    Weather("deaths among sub-agents", happen=100, die=0.3, join=1.5, leave=1.0),
    Weather("deadly rollouts", deadly=0.9, die=0.15, happen=60, join=2, leave=1.0),
    Weather("lost ends", forgetful=0.7, happen=80, time=4, die=0.15),
    Weather("large answers", load=3.0, client=60, burst=0.02),
    Weather("slow to read", read=0.2, drift=0.3, happen=80, join=2, leave=1.5),
    Weather("reading in turns", read=4, drift=20, happen=80, join=1, leave=0.8, die=0.1),
    Weather("slow clock", pause=0.01, time=0.2),
    Weather("affairs of one", affairs=0.4, client=50, happen=80, join=2, leave=1.6, time=0.3),
    Weather("affairs of one, coming and going", affairs=0.4, client=50, happen=80, join=5, leave=4, time=0.3),
    Weather("affairs of one, overloaded", affairs=0.5, overloaded=True, client=50, happen=50, time=6),
)


def weather(rng: Random) -> Weather:
    """The next one."""
    return rng.choice(WEATHERS)

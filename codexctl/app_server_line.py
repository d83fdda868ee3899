"""The command lines of `codex app-server` that a client of codexd can stand in for.

Those that clients use: `codex [-c K=V]… app-server [--listen stdio://] [--analytics-default-enabled]`. Only what Codex surely
accepts is stood in for. All else is the real Codex's, which judges it: it does what an option asks that is not known here
(`--print-startup-config` prints and ends), and says best what is wrong with one that it does not know, that stands in the
wrong place, twice, with a wrong value, or beside another that excludes it. A word that is left over is a subcommand or a
prompt, and the whole line the real Codex's, too.

Tried with Codex 0.163 and 0.171, which judge alike: what belongs to its terminal program (`-m`, `-s`, `-C`, …) is accepted
before `app-server`, and has no effect.
"""

from collections import Counter
from collections.abc import Sequence

SUBCOMMAND = "app-server"
_LONG = {
    "-c": "--config", "-m": "--model", "-s": "--sandbox", "-C": "--cd", "-a": "--ask-for-approval",
}  # fmt: skip
_BYPASS = "--dangerously-bypass-approvals-and-sandbox"
_SAME = {"--yolo": _BYPASS}
_EVERYWHERE = frozenset({"--config", "--disable", "--enable", "--strict-config"})
_BEFORE = _EVERYWHERE | {
    "--add-dir", "--approve-for-me", "--ask-for-approval", "--cd", _BYPASS, "--dangerously-bypass-hook-trust",
    "--local-provider", "--model", "--no-alt-screen", "--no-daemon", "--oss", "--sandbox", "--search",
}  # fmt: skip
"""What may stand before `app-server`; but for `_EVERYWHERE` it is the terminal program's."""
_AFTER = _EVERYWHERE | {
    "--analytics-default-enabled", "--code-mode-host", "--listen", "--remote-control", "--stdio",
}  # fmt: skip
_WITH_VALUE = frozenset({
    "--add-dir", "--ask-for-approval", "--cd", "--code-mode-host", "--config", "--disable", "--enable", "--listen",
    "--local-provider", "--model", "--sandbox",
})  # fmt: skip
_OFTEN = frozenset({"--add-dir", "--config", "--disable", "--enable"})
"""What may be said more than once."""
_VALUES = {
    "--ask-for-approval": frozenset({"never", "on-request"}),
    "--listen": frozenset({"stdio://"}),
    "--sandbox": frozenset({"danger-full-access", "read-only", "workspace-write"}),
}
"""The values that are stood in for, where not any would do."""
_EXCLUSIVE = (
    frozenset({"--listen", "--stdio"}),
    frozenset({"--approve-for-me", "--ask-for-approval", _BYPASS}),
)
"""Of these only one may be said."""


AppServer = tuple[dict[str, object], tuple[str, ...]]
"""A client on stdin and stdout: what `-c`, `--enable` and `--disable` say, by dotted keys; and what a Codex that is shared
cannot honour, as it stood on the command line."""


class _Options:
    """What has been read of a command line."""

    def __init__(self) -> None:
        self.overrides: list[str] = []
        self.features: dict[str, bool] = {}
        self.unheard: list[str] = []
        self._said: Counter[tuple[bool, str]] = Counter()

    def take(self, option: str, value: str | None, *, before: bool) -> bool:
        """Takes it down; returns whether Codex accepts it there. `before`: it stands before `app-server`."""
        self._said[before, option] += 1
        match option:
            case "--config":
                self.overrides.append(value or "")
            case "--enable" | "--disable":
                self.features[value or ""] = option == "--enable"
            case "--listen" | "--stdio":
                pass
            case _:
                self.unheard += () if before and option not in _EVERYWHERE else (option,)
        is_allowed = option in (_BEFORE if before else _AFTER) and (value is not None) == (
            option in _WITH_VALUE
        )
        is_first = self._said[before, option] == 1 or option in _OFTEN
        return (
            is_allowed
            and is_first
            and value in _VALUES.get(option, {value})
            and not self._is_odd(option, value)
        )

    def _is_odd(self, option: str, value: str | None) -> bool:
        """Whether it depends on more than itself whether Codex accepts it."""
        said = {one for _, one in self._said}
        if option == "--code-mode-host":
            return "://" not in (value or "")
        return any(option in group and len(said & group) > 1 for group in _EXCLUSIVE)

    def app_server(self) -> AppServer | None:
        if not self.overrides and not self.features:
            return {}, tuple(self.unheard)
        if "--strict-config" in self.unheard:  # which of the overrides are known, Codex knows
            return None
        from codexd.protocol import overrides  # late: TOML takes 15 ms, and most clients say nothing in it

        config = overrides.config_of(self.overrides, self.features)
        if config is None:
            return None
        unheard = [f"-c {key}" for key in overrides.of_the_process(config)]
        return config, (*self.unheard, *unheard)


def read(words: Sequence[str]) -> AppServer | None:
    """Reads the words after `codex`; None when they are for the real Codex."""
    options = _Options()
    met = False
    left = iter(words)
    for word in left:
        if not word.startswith("-"):
            if met or word != SUBCOMMAND:
                return None
            met = True
            continue
        option, value = _divided(word)
        if option in _WITH_VALUE and value is None:
            value = next(left, None)
        if not options.take(option, value, before=not met):
            return None
    return options.app_server() if met else None


def _divided(word: str) -> tuple[str, str | None]:
    """The option by its long name, and the value that is written together with it."""
    if word.startswith("--"):
        option, equals, value = word.partition("=")
        return _SAME.get(option, option), value if equals else None
    rest = word[2:]
    return _LONG.get(word[:2], word), rest.removeprefix("=") if rest else None

"""The command lines of `codex app-server` that a client of codexd can stand in for.

Those that clients use: `codex [-c K=V]… app-server [--listen stdio://] [--analytics-default-enabled]`, the options
before or after `app-server`. Options that are unknown here are taken for flags without a value, so that a newer client
is served all the same; a word that is left over is a subcommand or a prompt, and the whole line the real Codex's. So is
a line that Codex refuses: it says best what is wrong.

Tried with Codex 0.169: what belongs to its terminal program (`-m`, `-s`, `-C`, …) is accepted before `app-server` and
has no effect; `--profile`, `--remote` and `--worktree` are refused there.
"""

from collections.abc import Sequence

SUBCOMMAND = "app-server"
_LONG = {
    "-c": "--config", "-m": "--model", "-s": "--sandbox", "-C": "--cd", "-a": "--ask-for-approval",
    "-i": "--image", "-p": "--profile", "-h": "--help", "-V": "--version",
}  # fmt: skip
_FOR_CODEX = frozenset({
    "--", "--help", "--image", "--profile", "--remote", "--remote-auth-token-env", "--version", "--worktree",
})  # fmt: skip
_TERMINALS_WITH_VALUE = frozenset({
    "--add-dir", "--ask-for-approval", "--cd", "--local-provider", "--model", "--sandbox",
})  # fmt: skip
_TERMINALS = _TERMINALS_WITH_VALUE | {
    "--approve-for-me", "--dangerously-bypass-approvals-and-sandbox", "--dangerously-bypass-hook-trust",
    "--full-auto", "--no-alt-screen", "--no-daemon", "--oss", "--search", "--yolo",
}  # fmt: skip
_WITH_VALUE = _TERMINALS_WITH_VALUE | {
    "--code-mode-host", "--config", "--disable", "--enable", "--listen", "--ws-audience", "--ws-auth", "--ws-issuer",
    "--ws-max-clock-skew-seconds", "--ws-shared-secret-file", "--ws-token-file", "--ws-token-sha256",
}  # fmt: skip


AppServer = tuple[dict[str, object], tuple[str, ...]]
"""A client on stdin and stdout: what `-c`, `--enable` and `--disable` say, by dotted keys; and what a Codex that is shared
cannot honour, as it stood on the command line."""


class _Options:
    """What has been read of a command line."""

    def __init__(self) -> None:
        self.overrides: list[str] = []
        self.features: dict[str, bool] = {}
        self.transports: list[str] = []
        self.unheard: list[str] = []

    def take(self, option: str, value: str | None) -> None:
        match option:
            case "--config":
                self.overrides.append(value or "")
            case "--enable" | "--disable":
                self.features[value or ""] = option == "--enable"
            case "--listen":
                self.transports.append(value or "")
            case "--stdio":
                self.transports.append("stdio://")
            case _:
                self.unheard += () if option in _TERMINALS else (option,)

    def app_server(self) -> AppServer | None:
        if self.transports not in ([], ["stdio://"]):
            return None
        if not self.overrides and not self.features:
            return {}, tuple(self.unheard)
        from codexctl import overrides  # late: TOML takes 15 ms, and most clients say nothing in it

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
        if option in _FOR_CODEX:
            return None
        if option in _WITH_VALUE and value is None:
            value = next(left, None)
            if value is None:
                return None
        options.take(option, value)
    return options.app_server() if met else None


def _divided(word: str) -> tuple[str, str | None]:
    """The option by its long name, and the value that is written together with it."""
    if word.startswith("--"):
        option, equals, value = word.partition("=")
        return option, value if equals else None
    rest = word[2:]
    return _LONG.get(word[:2], word), rest.removeprefix("=") if rest else None

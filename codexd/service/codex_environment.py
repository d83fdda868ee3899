"""What doctor says of the environment of Codex, and of what codexd has inherited beside it. Values of variables are not told.

The environment is read from the process that runs. Where none does, it is that which codexd would give it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codexd.protocol import extension
from codexd.protocol.errors import Unavailable
from codexd.protocol.running import Holder
from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.service import inherited
from codexd.service.ask import Asker, Refused
from codexd.service.environment import of_codex
from codexd.service.finding import NOTE, Finding
from codexd.service.instance import Instance
from codexd.service.login_shell import OF_ITSELF

_ANSWER_SECONDS = 5.0
_SHOWN = re.compile(r"PATH|HOME|CODEX_HOME|(?:HTTP|HTTPS|ALL|NO)_PROXY", re.IGNORECASE)
_OTHER_SHELL = "codexd restart, from another shell"
_NOT_COMPARED = {*OF_ITSELF, MARK_VARIABLE}


def environment_of_codex(instance: Instance) -> tuple[dict[str, Any], list[Finding]]:
    """What Codex gets: the names of all variables, the values of those that lead it somewhere, never a secret's; and findings.

    `missing`, `different` and `extra` compare it to the environment of this process: the names of what is here alone, of
    what has another value there, and of what is there alone.
    """
    whose, findings = "a Codex that is started from this shell", []
    runner = instance.runner()
    found = None if runner is None else _of_running(runner)
    if runner is not None:
        findings += [Finding("limits", NOTE, each, _OTHER_SHELL) for each in inherited.left(runner.pid)]
    if found is not None:
        handed, whose = found
    else:
        if runner is not None:
            whose += "; the environment of the running one cannot be read"
        handed, problem = of_codex(instance.settings, instance.environ)
        if problem is not None:
            findings.append(Finding("login shell", NOTE, problem, "see docs/environment.md"))
    shown = {name: handed[name] for name in sorted(handed) if _SHOWN.fullmatch(name)}
    report = {
        "of": whose,
        "shown": {name: _without_credentials(name, value) for name, value in shown.items()},
        "names": sorted(handed.keys() - shown.keys()),
        "cwd": str(instance.settings.cwd),
        **_compared(instance.environ, handed),
    }
    return report, findings


def in_words(handed: Mapping[str, Any]) -> list[str]:
    """The lines of doctor about it."""
    lines = [f"the environment of {handed['of']} (docs/environment.md)"]
    lines += [f"  {name}={value}" for name, value in handed["shown"].items()]
    lines.append("  and " + ", ".join(handed["names"]))
    said = {
        "missing": "only in this shell",
        "different": "with different values in Codex and this shell",
        "extra": "only in Codex",
    }
    lines += [f"  {words}: {', '.join(handed[key])}" for key, words in said.items() if handed[key]]
    lines.append(f"  working directory: {handed['cwd']}")
    return lines


def _without_credentials(name: str, value: str) -> str:
    """Programs take a proxy without a scheme, too, and a password with a slash or an @ in it."""
    before, at, host = value.rpartition("@")
    if not at or not name.upper().endswith("_PROXY"):
        return value
    scheme, divider, _ = before.partition("://")
    return f"{scheme}://…@{host}" if divider else f"…@{host}"


def _compared(here: Mapping[str, str], there: Mapping[str, str]) -> dict[str, list[str]]:
    both = here.keys() & there.keys()
    names = {
        "missing": here.keys() - there.keys(),
        "different": {name for name in both if here[name] != there[name]},
        "extra": there.keys() - here.keys(),
    }
    return {key: sorted(found - _NOT_COMPARED) for key, found in names.items()}


def _of_running(runner: Holder) -> tuple[dict[str, str], str] | None:
    """The environment of the Codex that runs, and whose it is; None where it cannot be read."""
    import psutil

    try:
        with Asker(Path(runner.socket), _ANSWER_SECONDS) as asker:
            pid = asker.ask(extension.STATUS)["codex"]["pid"]
        if pid is None:
            return None
        return psutil.Process(pid).environ(), f"the Codex that runs (pid {pid})"
    except (Unavailable, Refused, psutil.Error):
        return None

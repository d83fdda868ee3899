"""doctor: every setting with where it came from, and every check, whatever state codexd and Codex are in."""

import json
from collections.abc import Mapping
from typing import Any

from codexd import __version__
from codexd.protocol.visible import plain
from codexd.service import (
    codex_environment,
    examination,
    secret_overrides,
    settings as settings_module,
    surroundings,
)
from codexd.service.errors import UsageError
from codexd.service.finding import BROKEN, Finding
from codexd.service.instance import Instance
from codexd.service.settings import Choice, Settings

_DERIVED = ("sources", "config_file")


def doctor(
    flags: Mapping[str, Any],
    arguments: tuple[str, ...],
    environ: Mapping[str, str],
    as_json: bool,
    notes: tuple[str, ...] = (),
) -> int:
    """Prints what there is to know; returns 1 when something is broken, else 0.

    `notes`: what was wrong with the environment that this process began with, in sentences.
    """
    instance, findings = _instance(flags, arguments, environ)
    findings += surroundings.examine(instance, notes)
    findings += examination.examine(instance)
    handed, more = codex_environment.environment_of_codex(instance)
    findings += more
    if as_json:
        print(json.dumps(_report(instance, findings, handed)))
    else:
        print(plain(_in_words(instance, findings, handed)))
    return int(any(finding.state == BROKEN for finding in findings))


def _instance(
    flags: Mapping[str, Any], arguments: tuple[str, ...], environ: Mapping[str, str]
) -> tuple[Instance, list[Finding]]:
    """The codexd that is meant, and what is wrong with its settings; what is wrong counts as not given."""
    problems: list[str] = []
    try:
        loaded = settings_module.load(flags, environ, problems)
        found = [
            Finding("settings", BROKEN, problem, "codexd does not start until then") for problem in problems
        ]
        return Instance(loaded, arguments, environ), found
    except UsageError as error:
        without = {
            name: value for name, value in environ.items() if not name.startswith(("CODEXD_", "CODEX_"))
        }
        loaded = settings_module.load({"config": "/dev/null"}, without)
        wrong = Finding("settings", BROKEN, str(error), "until then the defaults are examined")
        return Instance(loaded, arguments, without), [wrong]


def _report(instance: Instance, findings: list[Finding], handed: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": __version__,
        "settings": {
            name: {"value": value, "source": source}
            for name, value, source in _settings_rows(instance.settings)
        },
        "findings": [finding._asdict() for finding in findings],
        "environment": handed,
    }


def _settings_rows(settings: Settings) -> list[tuple[str, Any, str]]:
    rows = []
    for name, value in settings._asdict().items():
        if name in _DERIVED:
            continue
        if name == "codex_config":
            value = secret_overrides.without_secrets(value)
        if name == "environment":
            value = value.shown()
        rows.append((name, _plain(value), settings.sources[name]))
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [each.value if isinstance(each, Choice) else each for each in value]
    return value if isinstance(value, bool | int | float) else str(value)


def _in_words(instance: Instance, findings: list[Finding], handed: dict[str, Any]) -> str:
    lines = [f"codexd {__version__}", "", "settings"]
    for name, value, source in _settings_rows(instance.settings):
        shown = ", ".join(value) if isinstance(value, list) else value
        lines.append(f"  {name:<20} {shown if shown != '' else '-'}  ({source})")
    lines += ["", "checks"]
    for finding in findings:
        lines.append(f"  {finding.state:<7} {finding.name:<15} {finding.text}")
        if finding.remedy:
            lines.append(f"{'':<26}{finding.remedy}")
    lines += ["", *codex_environment.in_words(handed)]
    return "\n".join(lines)

"""Every method with params of a wrong kind, without params, and with nothing in them: it never comes to a call.

Nothing of this leaves the machine, whatever the method does: Codex does not get beyond reading the params.
"""

from tests.conformance.codex_itself import Codex
from tests.conformance.scripts.gated import resolved
from tests.conformance.steps import Call, Script, script


def malformed(codex: Codex) -> Script:
    """One pass over all methods that the Codex at hand enumerates, and one that it does not."""
    strict = [method for method in codex.methods if required(codex, method)]
    steps = [Call(method, 5) for method in (*codex.methods, "no/such/method")]
    steps += [Call(method, {}) for method in strict]
    steps += [Call(method, bare=True) for method in strict]
    return script("malformed", *steps)


def required(codex: Codex, method: str) -> list[str]:
    """The members that the method's params have to have; none for one that no schema describes."""
    found: list[str] = resolved(codex, codex.requests.get(method, {})).get("required", [])
    return found

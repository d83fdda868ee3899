"""Every script by its name."""

from tests.conformance.codex_itself import Codex
from tests.conformance.scripts import (
    belongings,
    configuration,
    doings,
    files,
    gated,
    handshakes,
    machinery,
    malformed,
    processes,
    queues,
    reads,
    server_requests,
    servers,
    threads,
    turns,
)
from tests.conformance.steps import Script

FIXED = {
    script.name: script
    for module in (
        reads,
        files,
        processes,
        threads,
        server_requests,
        turns,
        belongings,
        queues,
        servers,
        configuration,
        doings,
        machinery,
        handshakes,
    )
    for script in module.SCRIPTS
}
GENERATED = {"malformed": malformed.malformed, "without experimentalApi": gated.gated}
"""Those that are made from what the Codex at hand says of itself."""
NAMES = (*GENERATED, *FIXED)


def by_name(name: str, codex: Codex) -> Script:
    """The script, for this Codex."""
    return GENERATED[name](codex) if name in GENERATED else FIXED[name]

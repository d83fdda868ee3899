"""What is not yet as Codex does it: a script per known bug, expected to fail until it is mended. To be empty."""

from tests.conformance.steps import Script

SCRIPTS: tuple[Script, ...] = ()

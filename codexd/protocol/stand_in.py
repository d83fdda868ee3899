"""How `codexd-codex`, the program that stands in for `codex`, is told from a Codex."""

NAME = "codexd-codex"
"""The program, and the first word that it prints when it is asked for its version with the question in the environment."""
QUESTION = "CODEXD_SHIM"
"""The environment variable; its value is `1`."""

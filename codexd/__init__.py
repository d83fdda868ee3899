"""codexd: one warm Codex process, shared by every program of a user over one Unix socket.

The floors and what each may import are described in docs/architecture.md.
"""

__version__ = "0.1.0"

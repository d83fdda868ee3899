"""codexd beside bare Codex, in one run: what it costs, as ratios. `python -m bench --help`."""

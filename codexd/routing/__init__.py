"""Floor 1: every decision of the broker, without input, output or a clock."""

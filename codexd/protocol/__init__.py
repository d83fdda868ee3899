"""Floor 0: what daemon and clients must agree on. Imports the standard library and msgspec alone."""

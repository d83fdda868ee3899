"""How hypothesis looks for examples: the same ones in every run, so that a failure stays until it is mended."""

from hypothesis import settings

settings.register_profile("same_every_time", derandomize=True, deadline=None, database=None)
settings.load_profile("same_every_time")

"""Settings that all tests share."""

from hypothesis import settings

# Compiling a kernel, or a busy machine, is no failure.
settings.register_profile("mitobench", deadline=None)
settings.load_profile("mitobench")

"""For all tests: a busy machine is no failure, so no example of Hypothesis's has a time limit."""

from hypothesis import settings

settings.register_profile("no clocks", deadline=None)
settings.load_profile("no clocks")

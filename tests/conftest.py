"""For all tests: a busy machine is no failure, so Hypothesis looks at no clock."""

from hypothesis import HealthCheck, settings

settings.register_profile("no clocks", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clocks")

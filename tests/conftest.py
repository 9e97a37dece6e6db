"""Hypothesis, as machines that do something else besides need it: how long an example takes decides nothing."""

from hypothesis import HealthCheck, settings

settings.register_profile("suite", deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("suite")

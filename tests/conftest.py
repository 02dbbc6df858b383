"""Hypothesis profiles, chosen with HYPOTHESIS_PROFILE: dev (the default), ci, nightly."""

import os

from hypothesis import HealthCheck, settings

_always = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=15, derandomize=True, database=None, **_always)
settings.register_profile("ci", max_examples=40, derandomize=True, database=None, **_always)
settings.register_profile("nightly", max_examples=4000, print_blob=True, **_always)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))

"""Hypothesis profiles, chosen with HYPOTHESIS_PROFILE: dev (the default), ci, nightly.

And the pass count of each independent oracle, at the end of a run.
"""

import os
from collections import Counter

from hypothesis import HealthCheck, settings

_always = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=15, derandomize=True, database=None, **_always)
settings.register_profile("ci", max_examples=40, derandomize=True, database=None, **_always)
settings.register_profile("nightly", max_examples=4000, print_blob=True, **_always)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))


def pytest_terminal_summary(terminalreporter):
    """One line an oracle, such as `ONNX node cases: 829 of 833 pass, 4 expected failures`.

    It stands here because only this conftest is loaded where pytest-xdist collects its reports.
    """
    counts = {}
    for outcome in ("passed", "xfailed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            title = dict(getattr(report, "user_properties", ())).get("oracle")
            if title and getattr(report, "when", None) == "call":
                counts.setdefault(title, Counter())[outcome] += 1
    for title, count in sorted(counts.items()):
        expected = f", {count['xfailed']} expected failures" if count["xfailed"] else ""
        terminalreporter.write_line(f"{title}: {count['passed']} of {count.total()} pass{expected}")

"""The campaign that looks for faults: a sample in every test run, in full by `pytest -m trust`.

`GELLIB_TRUST=full` or `GELLIB_TRUST=sample` says it whatever is selected. In full, other examples
are drawn each time; in the sample they are the same, so that a test run says the same twice.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

SAMPLE, FULL = 40, 2000  # examples of one property; a property takes a share of them


def pytest_configure(config):
    chosen = config.getoption("markexpr", "") or ""
    default = "full" if chosen.strip() == "trust" else "sample"
    full = os.environ.get("GELLIB_TRUST", default) == "full"
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    common = {"deadline": None, "suppress_health_check": checks, "database": None}
    settings.register_profile("full", max_examples=FULL, print_blob=True, **common)
    # Without shrinking: what fails is worth the time of a full campaign.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile(
        "sample", max_examples=SAMPLE, derandomize=True, phases=phases, **common
    )
    settings.load_profile("full" if full else "sample")


def pytest_collection_modifyitems(items):
    for item in items:
        if "trust" in item.path.parts:
            item.add_marker(pytest.mark.trust)


@pytest.fixture
def full() -> bool:
    return settings.default.max_examples == FULL

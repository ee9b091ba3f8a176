"""Tests see the machine as a person at a terminal does: the variables of the CI that runs them are not in their way."""

import os

from hypothesis import HealthCheck, settings

# No clock asserts; in CI the same examples each time, as hypothesis's own profile for CI has it: red means that the change is
# wrong, and finding new examples is the work of everybody else's runs. pytest's workers start without CI, so they are told so.
if "CI" in os.environ:
    os.environ["TESTS_SAME_EXAMPLES"] = "1"
settings.register_profile("whole", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="TESTS_SAME_EXAMPLES" in os.environ)
settings.load_profile("whole")
CI = ("BUILD_", "CI_", "GITHUB_", "GITLAB_", "JENKINS_", "LADING_LEDGER", "LADING_CONFIG")
for name in [name for name in os.environ if name in ("CI", "CONTINUOUS_INTEGRATION") or name.startswith(CI)]:
    del os.environ[name]

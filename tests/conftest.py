"""Tests see the machine as a person at a terminal does: the variables of the CI that runs them are not in their way."""

import os

CI = ("BUILD_", "CI_", "GITHUB_", "GITLAB_", "JENKINS_", "LADING_LEDGER", "LADING_CONFIG")
for name in [name for name in os.environ if name in ("CI", "CONTINUOUS_INTEGRATION") or name.startswith(CI)]:
    del os.environ[name]

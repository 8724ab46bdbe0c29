"""What all tests share: addresses on loopback, and the rule that CI skips nothing."""

from __future__ import annotations

import os
import socket

import pytest
from hypothesis import settings

# The machine that runs the tests may be busy: a slow example is no failure.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``B1_TEST_NO_SKIPS`` a skipped test fails the session: CI installs what the tests need."""
    if not os.environ.get("B1_TEST_NO_SKIPS"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

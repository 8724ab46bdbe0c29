"""A real Chromium, Streamlit apps on free ports, and a screenshot of every page on which a test failed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from runtime.sandbox.demo import WEAVER_CONNECTION, WECOM_CONNECTION, connections
from tests.browser.designing import BIN, Desk
from tests.browser.support import Start, StartApp, answers, wait_until

SCREENSHOTS = Path(".pytest-screenshots")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser per module: Playwright keeps an event loop running, which no asynchronous test may meet."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("no chromium in PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh browser profile; the test fails on an error in the page's own script."""
    context = chromium.new_context(viewport={"width": 1440, "height": 960}, locale="zh-CN")
    page = context.new_page()
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)  # the first page of a server takes a while on a busy machine
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    if request.node.stash.get(FAILED, True):
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)
    context.close()
    assert not errors


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a command that listens on the port it is given; all are stopped at the end of the module.

    Call it with the command (``{port}`` is filled in), the path that answers once it is ready, and environment
    variables; it returns the address.
    """
    running: list[subprocess.Popen[bytes]] = []
    folder = tmp_path_factory.mktemp("logs")

    def begin(command: Sequence[str], ready: str, **environment: str) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        filled = [part.replace("{port}", str(port)) for part in command]
        with (folder / f"{port}.log").open("wb") as log:
            running.append(subprocess.Popen(filled, env={**os.environ, **environment}, stdout=log, stderr=log))
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(address + ready), f"{command[0]} did not start")
        return address

    yield begin
    for process in reversed(running):
        process.terminate()
    for process in running:
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def start_app(start: Start) -> StartApp:
    """Start ``streamlit run`` for an app and return its address."""
    flags = {
        "server.port": "{port}",
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }

    def begin(app: Path, **environment: str) -> str:
        options = [f"--{name}={value}" for name, value in flags.items()]
        return start([sys.executable, "-m", "streamlit", "run", str(app), *options], "/_stcore/health", **environment)

    return begin


@pytest.fixture(scope="module")
def desk(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "mappings").mkdir()
    environment = {"B1_VAR": str(folder / "var"), "B1_MAPPINGS": str(folder / "mappings")}
    sandbox = start(
        [str(BIN / "b1-runtime"), "sandbox", "--port", "{port}", "--var", str(folder / "sandbox")], "/control/health"
    )
    documents = connections(sandbox)
    with urllib.request.urlopen(f"{sandbox}/control/weaver/registration") as answer:
        documents[WEAVER_CONNECTION] |= json.load(answer)
    (folder / "connections.json").write_text(json.dumps(documents))
    studio = start([str(BIN / "b1-studio"), "--port", "{port}"], "/_stcore/health", **environment)
    desk = Desk(studio=studio, sandbox=sandbox, folder=folder, environment=environment)
    desk.run("connections", "import", str(folder / "connections.json"))
    return desk


@pytest.fixture(scope="module")
def office(desk: Desk, start: Start) -> Desk:
    """The desk and a runtime beside it, which WeCom tells of verdicts; it runs before there is any mapping."""
    runtime = start([str(BIN / "b1-runtime"), "serve", "--port", "{port}"], "/readyz", **desk.environment)
    desk.control("PUT", "/wecom/callback", {"url": f"{runtime}/callbacks/{WECOM_CONNECTION}"})
    return replace(desk, runtime=runtime)

"""What the wizard shows is run as a person copies it: each program becomes an agent, answers, and is seen on the page.

Elixir's packages come from hex. Without `RINGFORGE_TEST_HEX=1`, which lets `Mix.install` fetch them, a stand-in plays
Slipstream: Elixir, the program and the wire are real, the library that carries it is not. `RINGFORGE_TEST_STAY=90` also
looks whether each agent is still connected after so many seconds, which takes heartbeats.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from dashboard_visitor import Office, Tab, chromium, running_office, signed_in
from playwright.async_api import BrowserContext, Page, expect
from ringforge_dashboard.snippets import snippets

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPOSITORY = Path(__file__).parents[3]
NODE_MODULES = REPOSITORY / "tests" / "phoenix_js" / "node_modules"
STAND_IN = Path(__file__).parent / "elixir" / "slipstream.ex"
OWN_PYTHON = Path(sys.executable).parent
JIFFY = Path("/usr/lib/erlang/lib")
HEX = os.environ.get("RINGFORGE_TEST_HEX") == "1"
STAY_SECONDS = float(os.environ.get("RINGFORGE_TEST_STAY", "0"))
PATIENCE = 30_000
"""Milliseconds: a compiler and a package manager start on a machine that has other work."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    async with running_office(tmp_path_factory.mktemp("office")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def window(office: Office) -> AsyncIterator[BrowserContext]:
    async with chromium() as browser:
        window = await signed_in(browser, office.owner)
        await window.grant_permissions(["clipboard-read", "clipboard-write"])
        yield window


class Wizard:
    """The page after the key was made."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @classmethod
    async def finished(cls, page: Page, name: str) -> Wizard:
        await page.goto("/dashboard/add-agent")
        await page.get_by_label("Name").fill(name)
        await page.get_by_label("Capabilities").fill('search, "py#{1}"')
        await page.get_by_role("button", name="Make a key").click()
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        return cls(page)

    async def copy(self, id: str) -> str:
        """By its button, out of the clipboard."""
        await self._page.locator(f'[data-copy="{id}"]').click()
        text = await self._page.evaluate("navigator.clipboard.readText()")
        assert isinstance(text, str)
        return text


def python(directory: Path, run: str) -> str:
    return run


def typescript(directory: Path, run: str) -> str:
    if shutil.which("npx") is None or not (NODE_MODULES / ".bin" / "tsx").exists():
        pytest.skip("node, or the npm packages of tests/phoenix_js, are missing: npm install --prefix tests/phoenix_js")
    (directory / "node_modules").symlink_to(NODE_MODULES)
    return run


def elixir(directory: Path, run: str) -> str:
    if shutil.which("elixir") is None:
        pytest.skip("Elixir is missing: apt-get install elixir")
    if HEX:
        return run
    if not list(JIFFY.glob("jiffy-*")):
        pytest.skip("Erlang's jiffy is missing: apt-get install erlang-jiffy")
    return run.replace("elixir ", f"elixir -r {STAND_IN} ", 1)


PREPARE = {"Python": python, "TypeScript": typescript, "Elixir": elixir}


@pytest.mark.timeout(STAY_SECONDS + 120)
@pytest.mark.parametrize("language", PREPARE)
async def test_a_copied_program_is_an_agent(office: Office, window: BrowserContext, tmp_path: Path, language: str) -> None:
    tab = Tab(await window.new_page())
    page = tab.page
    name = f'{language} "#{{1}}" & <b> \\ ${{x}}'
    wizard = await Wizard.finished(page, name)
    part = page.locator("details", has=page.locator("summary", has_text=re.compile(f"^{language}$")))
    if await part.get_attribute("open") is None:
        await part.locator("summary").click()
    file = await part.locator("p code").inner_text()
    code = await wizard.copy(f"{language.lower()}-code")
    assert "rf_live_" not in code
    (tmp_path / file).write_text(code)
    run = PREPARE[language](tmp_path, await wizard.copy(f"{language.lower()}-run"))
    async with running(f"{await wizard.copy('new-key')}\n{run}", tmp_path) as output:
        await expect(page.get_by_text("is connected.")).to_be_visible(timeout=PATIENCE)
        await page.get_by_role("link", name="Write to it").click()
        if STAY_SECONDS:
            await asyncio.sleep(STAY_SECONDS)
            await page.reload()
        await expect(page.locator("#now")).to_contain_text("online")
        await page.get_by_label("Message").fill("How is it going?")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".message:not(.own)")).to_contain_text(f"{language} has read it.", timeout=PATIENCE)
        await page.goto("/dashboard/activity")
        await expect(page.get_by_text(f"Hello from {language}")).to_be_visible()
        assert tab.complaints == []
    assert "How is it going?" in output.text()
    agents = await office.hub.hub.administration.agents(office.hub.keys.tenant_id)
    (agent,) = [each for each in agents.items if each.name == name]
    assert agent.capabilities == ["search", '"py#{1}"']
    await page.close()


async def test_a_program_with_a_wrong_key_says_so(office: Office, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        shells = []
        for each in snippets(office.hub.http_url, "stranger", []):
            if each.language not in PREPARE:
                continue
            directory = tmp_path / each.language
            directory.mkdir()
            (directory / each.file).write_text(each.code)
            typed = f"export RINGFORGE_API_KEY=rf_live_{'0' * 32}\n{PREPARE[each.language](directory, each.run)}"
            shells.append(await stack.enter_async_context(running(typed, directory)))
        for shell, words in zip(shells, ("AuthenticationError", "403", "not connected"), strict=True):
            await shell.said(words)


async def test_curl_says_that_the_key_works_on_a_page_for_everybody(window: BrowserContext, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is missing: apt-get install curl")
    page = await window.new_page()
    wizard = await Wizard.finished(page, "shell")
    await page.get_by_text("curl", exact=True).click()
    async with running(f"{await wizard.copy('new-key')}\n{await wizard.copy('curl-code')}", tmp_path) as output:
        await output.ended()
    assert '"ok":true' in output.text()
    await page.evaluate("for (const each of document.querySelectorAll('.language')) { each.name = ''; each.open = true; }")
    found = (await Axe().run(page)).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    await page.close()


async def test_what_is_installed_for_python_is_the_sdk_of_this_repository() -> None:
    (shown,) = [each for each in snippets("http://hub", "a", []) if each.language == "Python"]
    project = tomllib.loads((REPOSITORY / "sdks" / "python" / "pyproject.toml").read_text())["project"]
    assert shown.install == f"pip install {project['name']}"


async def test_the_page_about_connecting_shows_the_same_programs() -> None:
    told = (REPOSITORY / "docs" / "connecting.md").read_text()
    for each in snippets("http://127.0.0.1:4000", "crawler", ["search", "python"]):
        assert f"\n{each.code}```\n" in told, f"docs/connecting.md has another program for {each.language}"
        for command in (each.install, each.run, each.file):
            assert command in told


class Output:
    """What a program says, and its end."""

    def __init__(self, process: asyncio.subprocess.Process, file: Path) -> None:
        self._process = process
        self._file = file

    def text(self) -> str:
        return self._file.read_text()

    async def said(self, words: str) -> None:
        async with asyncio.timeout(PATIENCE / 1000):
            while words not in self.text():  # noqa: ASYNC110 — a file tells nobody
                await asyncio.sleep(0.05)

    async def ended(self) -> None:
        async with asyncio.timeout(PATIENCE / 1000):
            await self._process.wait()


@asynccontextmanager
async def running(typed: str, directory: Path) -> AsyncIterator[Output]:
    """A shell in this directory, into which this is typed; what it starts ends with it."""
    file, search_path = directory / "output", os.environ["PATH"]
    with file.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", typed, cwd=directory, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, env={**os.environ, "HOME": str(directory), "PATH": f"{OWN_PYTHON}:{search_path}"},
        )  # fmt: skip
    shell = Output(process, file)
    try:
        yield shell
    except BaseException as error:
        error.add_note(f"The program said:\n{shell.text()}")
        raise
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

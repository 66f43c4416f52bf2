"""`ringforge users`, beside a running hub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from accounts_browser import PASSWORD, People, hidden_fields, problem, running_people
from click import UsageError
from click.testing import CliRunner

from ringforge_core.cli.root import ringforge
from ringforge_core.errors import RingforgeError

pytestmark = pytest.mark.asyncio(loop_scope="module")
BOB = "bob@example.org"


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Shell:
    """A terminal of the operator, with the configuration of the hub."""

    def __init__(self, people: People, directory: Path) -> None:
        self.people = people
        self._environment = {
            "RINGFORGE__HUB__DATA_DIRECTORY": str(directory),
            "RINGFORGE__HUB__PUBLIC_URL": people.hub.http_url,
            "RINGFORGE__STORE__URL": f"sqlite:///{directory / 'hub.db'}",
            "RINGFORGE__CAPABILITIES__USE": "presence,accounts",
        }

    async def __call__(self, *arguments: str) -> Ended:
        """In a thread of its own: a process takes seconds to start on a busy machine."""
        return await asyncio.to_thread(self._run, arguments)

    def _run(self, arguments: tuple[str, ...]) -> Ended:
        runner = CliRunner(env=self._environment)
        ended = runner.invoke(ringforge, ["users", *arguments], standalone_mode=False, prog_name="ringforge")
        error = ended.exception
        if error is None:
            return Ended(0, ended.stdout, "")
        said = f"{error}" if not isinstance(error, RingforgeError) else f"{error.message} {error.fix}"
        return Ended(2 if isinstance(error, UsageError) else 1, ended.stdout, said)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shell(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shell]:
    directory = tmp_path_factory.mktemp("hub")
    async with running_people(directory, registration="waitlist") as people:
        await people.owner()
        yield Shell(people, directory)


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


async def test_the_operator_invites_promotes_and_lists(shell: Shell) -> None:
    made = json.loads((await shell("invite", "--role", "viewer", "--email", BOB, "--json")).out)
    people, bob = shell.people, shell.people.browser()
    page = await bob.open(path_of(made["url"]))
    fields = {**hidden_fields(page, "/auth/register"), "invite": made["url"].rpartition("=")[2]}
    await bob.submit("/auth/register", name="Bob", email=BOB, password=PASSWORD, **fields)
    await bob.submit("/auth/verify", page=await people.mailbox.link(BOB), password=PASSWORD)
    assert (await shell("set-role", BOB, "admin")).out == f"{BOB} is admin now\n"
    assert "Invite</h2>" in (await bob.open("/team")).text

    ended = await shell("list", "--json")
    assert ended.code == 0, ended.err
    listed = {each["email"]: each for each in json.loads(ended.out)}
    assert (listed[BOB]["role"], listed[BOB]["disabled"], listed[BOB]["tenant"]) == ("admin", False, "default")
    plain = (await shell("list")).out
    assert "\x1b" not in plain  # no colours in a pipe
    assert plain.splitlines()[0].split()[:2] == ["E-MAIL", "NAME"]
    refused = await shell("set-role", "olga@example.org", "member")
    assert (refused.code, "keeps an owner" in refused.err) == (1, True)


async def test_who_is_disabled_is_out_at_once_and_stays_out(shell: Shell) -> None:
    bob = await shell.people.signed_in(BOB)
    assert (await shell("disable", BOB)).code == 0
    assert not await bob.signed_in
    refused = await shell.people.browser().submit("/auth/login", email=BOB, password=PASSWORD)
    assert "was disabled" in problem(refused)
    wrong = await shell.people.browser().submit("/auth/login", email=BOB, password="a guess of somebody")
    assert "not right" in problem(wrong)  # who does not know the password learns nothing of it
    assert "disabled" in (await shell("sign-in-link", BOB)).err
    await shell("enable", BOB)
    assert not await bob.signed_in  # the sessions of before stay ended
    assert await (await shell.people.signed_in(BOB)).signed_in


async def test_who_is_locked_out_gets_in_with_the_operators_link_once(shell: Shell) -> None:
    ended = await shell("sign-in-link", "olga@example.org", "--without-second-factor", "--json")
    path = path_of(json.loads(ended.out)["url"])
    new = "seven other bridges over copper"
    await shell.people.browser().submit("/auth/reset", page=path, password=new)
    assert await (await shell.people.signed_in("olga@example.org", new)).signed_in
    again = await shell.people.browser().submit("/auth/reset", page=path, password=new)
    assert "used already" in problem(again)
    keys = shell.people.hub.keys
    deeds = await shell.people.hub.hub.administration.audit(keys.tenant_id, action="user.sign_in_link_made")
    assert [deed.actor_type for deed in deeds] == ["operator"]


async def test_the_running_hub_mails_who_is_approved(shell: Shell) -> None:
    eve = shell.people.browser()
    await eve.submit("/auth/waitlist", name="Eve", email="eve@example.org")
    assert "eve@example.org" in (await shell("waitlist")).out
    ended = await shell("approve", "eve@example.org")
    assert ended.code == 0, ended.err
    assert (await eve.open(await shell.people.mailbox.link("eve@example.org"))).status_code == 200
    assert (await shell("waitlist")).out == "Nobody waits.\n"


async def test_its_help_teaches_and_its_mistakes_are_explained(shell: Shell) -> None:
    helped = await shell("--help")
    assert "ringforge users sign-in-link ada@example.org" in helped.out
    unknown = await shell("disable", "nobody@example.org")
    assert (unknown.code, "ringforge users list" in unknown.err) == (1, True)
    assert (await shell("set-role", BOB, "king")).code == 2
    assert (await shell("invite", "--email", "no address")).code == 1

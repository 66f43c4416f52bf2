"""The key pair, as an agent's developer and an eavesdropper see it, on a real hub."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import stat

import pytest
from msgspec.structs import replace
from nacl.signing import VerifyKey
from ringforge import Agent, AuthenticationError, ConnectionLost, KeyFileError, KeyPairRefused
from ringforge import credentials as credentials_module
from ringforge.address import Address
from ringforge.challenge import ask_challenge
from ringforge.credentials import rotation
from ringforge.key_file import KeyFile
from ringforge.key_pair import KeyPair
from sdk_wire import plain


@pytest.fixture
def hub(real_hub):
    return real_hub


@pytest.fixture
def keys(tmp_path):
    return tmp_path / "keys"


@pytest.fixture
def keyed(agent_of, keys):
    """Agents with a key pair."""

    def make(name="builder", **options):
        return agent_of(name, **{"key_directory": keys, **options})

    return make


def file_of(wire, keys, name="builder"):
    return KeyFile(keys, f"127.0.0.1:{wire.port}", name)


class Admin:
    """What an admin of the hub can do to an agent's keys."""

    def __init__(self, hub):
        self.store = hub.running.hub.store
        self.tenant_id = hub.running.keys.tenant_id

    async def reset_key(self, agent_id):
        from ringforge_core.identity.actor import Actor
        from ringforge_core.identity.public_keys import reset_public_key

        await reset_public_key(self.store, self.tenant_id, agent_id, actor=Actor("operator", "test"))

    async def revoke_agent_keys(self):
        from ringforge_core.identity import Keys

        keys = Keys(self.store)
        for key in await keys.list(self.tenant_id):
            if key.kind == "live":
                await keys.revoke(self.tenant_id, key.id)

    async def require_proof(self):
        from sqlalchemy import update

        from ringforge_core.identity.tables import tenants

        def require(tx, commands):
            tx.execute(update(tenants).values(require_key_proof=True))
            return [None]

        await self.store.apply(require, None)


@pytest.fixture
def admin(hub):
    return Admin(hub)


async def test_after_the_first_connect_the_api_key_is_never_on_the_wire_again(keyed, hub, wire, until):
    secret = hub.api_key.encode()
    async with keyed() as first:
        assert first.keys.in_use
        agent_id = first.id
        assert sum(secret in plain(sent) for sent in wire.sent) == 1
        wire.sent.clear()
        for _ in range(3):
            wire.cut()
            await first.activity.broadcast("custom", "still here")
    async with keyed() as second:
        await second.memory.set("k", 1)
        assert second.id == agent_id
    async with keyed(api_key=None) as third:
        assert third.id == agent_id
        await third.dm.send("dashboard", "done")
    assert wire.connects >= 10
    for sent in map(plain, wire.sent):
        assert secret not in sent
        assert base64.b64encode(secret) not in sent
        assert b"authorization" not in sent.lower()
    assert any(b"challenge_response=" in sent for sent in wire.sent)
    assert any(b"still here" in plain(sent) for sent in wire.sent)  # what is searched can be read


async def test_the_private_key_is_in_a_file_for_its_owner_alone_and_nowhere_else(keyed, keys, wire, caplog):
    caplog.set_level(logging.DEBUG)
    async with keyed() as agent:
        path = agent.keys.path
        assert path.parent == keys
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(keys.stat().st_mode) == 0o700
        assert os.listdir(keys) == [path.name]  # noqa: PTH208 — hidden leftovers, too
        stored = file_of(wire, keys).load()
        assert (stored.name, stored.agent_id) == ("builder", agent.id)
        assert KeyPair(stored.private_key).public == agent.keys.public_key
    assert b"rf_" not in path.read_bytes()
    secret = base64.b64encode(stored.private_key)
    assert all(secret not in plain(sent) and stored.private_key not in plain(sent) for sent in wire.sent)
    assert secret.decode() not in caplog.text


async def test_a_file_that_others_can_read_is_refused(keyed):
    async with keyed() as agent:
        path = agent.keys.path
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(KeyFileError, match="chmod 600") as caught:
            await keyed().connect()
        assert caught.value.path == str(path)
    path.chmod(0o600)
    path.write_text("nonsense")
    with pytest.raises(KeyFileError, match="no key file"):
        await keyed().connect()


async def test_without_a_key_pair_and_without_an_api_key_nobody_gets_in(keyed, wire):
    with pytest.raises(AuthenticationError, match="missing_credentials") as caught:
        await keyed(api_key=None).connect()
    assert "builder.key" in caught.value.message
    with pytest.raises(AuthenticationError, match="missing_credentials"):
        await keyed(name=None, api_key=None).connect()
    assert wire.connects == 0


async def test_an_agent_without_a_name_or_a_directory_makes_no_file(agent_of, keys, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    async with agent_of("plain") as plain_one, agent_of(None, key_directory=keys) as nameless:
        assert not plain_one.keys.in_use
        assert not nameless.keys.in_use
        assert nameless.keys.path is None
    assert not keys.exists()
    assert not (tmp_path / "home").exists()
    by_default = Agent("ws://127.0.0.1:1", name="x").keys.path
    assert by_default == tmp_path / "home" / ".config" / "ringforge" / "127.0.0.1-1-x.key"


async def test_two_processes_that_begin_at_once_share_one_key_pair(keyed):
    agents = [keyed() for _ in range(4)]
    await asyncio.gather(*(agent.connect() for agent in agents))
    assert len({agent.keys.public_key for agent in agents}) == 1
    assert all(agent.keys.in_use for agent in agents)


async def test_another_machine_with_the_same_name_goes_on_with_the_api_key(keyed, keys, hub, wire, until, caplog):
    async with keyed() as first:
        elsewhere = keyed(key_directory=keys / "elsewhere")
        await elsewhere.connect()
        assert elsewhere.id == first.id
        assert not elsewhere.keys.in_use
        assert "another public key" in caplog.text
        wire.cut()
        await until(lambda: not elsewhere.connected)
        await until(lambda: elsewhere.connected and first.connected)
        assert caplog.text.count("another public key") == 1
        await elsewhere.keys.rotate()
        assert elsewhere.keys.in_use
    async with keyed(key_directory=keys / "elsewhere", api_key=None) as again:
        assert again.id == elsewhere.id


async def test_a_new_key_pair_takes_over_and_the_old_one_opens_nothing(keyed, keys, wire, hub, until):
    async with keyed() as agent:
        old = file_of(wire, keys).load()
        public_key = await agent.keys.rotate()
        assert public_key == agent.keys.public_key != KeyPair(old.private_key).public
        stored = file_of(wire, keys).load()
        assert (KeyPair(stored.private_key).public, stored.next_private_key) == (public_key, None)
        wire.cut()
        await agent.activity.broadcast("custom", "with the new key")
        address = Address(wire.url, name="builder", framework=None, capabilities=())
        nonce = await ask_challenge(address.challenge, agent.id, tls=None)
        VerifyKey(public_key).verify(nonce, KeyPair(stored.private_key).sign(nonce))
    file_of(wire, keys).save(old)
    with pytest.raises(KeyPairRefused, match="replaced elsewhere") as caught:
        await keyed().connect()
    assert str(file_of(wire, keys).path) in caught.value.fix


async def test_a_rotation_that_the_hub_did_without_being_heard_is_found_done(keyed):
    async with keyed() as agent:
        stored, new = agent.keys._credentials.stored, KeyPair()
        await agent.request("auth:rotate_key", rotation(new, signed_by=KeyPair(stored.private_key)))
        await agent.keys._credentials.save(replace(stored, next_private_key=new.private))
        assert await agent.keys.rotate() == new.public
    async with keyed(api_key=None) as again:
        assert again.keys.public_key == new.public


async def test_processes_of_one_agent_follow_each_others_rotations(keyed, wire, until):
    async with keyed() as one, keyed() as two:
        public_key = await one.keys.rotate()
        wire.cut()
        await until(lambda: not two.connected)
        await two.activity.broadcast("custom", "in")
        assert two.keys.public_key == public_key
        two.keys.path.unlink()
        wire.cut()
        await until(lambda: not two.connected)
        await two.activity.broadcast("custom", "in without the file, too")


async def test_a_rotation_needs_the_old_key_where_the_tenant_wants_it(keyed, keys, admin):
    async with keyed() as agent, keyed(key_directory=keys / "elsewhere") as stranger:
        await admin.require_proof()
        await agent.keys.rotate()
        with pytest.raises(AuthenticationError, match="missing_signature"):
            await stranger.keys.rotate()


@pytest.mark.parametrize("reply_lost", [True, False])
async def test_a_rotation_that_was_interrupted_leaves_an_agent_that_gets_in(keyed, keys, wire, reply_lost):
    """The process dies after the new key is in the file: before the hub heard of it, or after."""
    async with keyed() as agent:
        before = file_of(wire, keys).load()
        new = KeyPair()
        in_doubt = replace(before, next_private_key=new.private)
        if reply_lost:
            await agent.request("auth:rotate_key", rotation(new, signed_by=KeyPair(before.private_key)))
    file_of(wire, keys).save(in_doubt)
    async with keyed(api_key=None) as again:
        assert (again.keys.public_key == new.public) is reply_lost
        public_key = await again.keys.rotate()
    async with keyed(api_key=None) as last:
        assert last.keys.public_key == public_key
    assert file_of(wire, keys).load().next_private_key is None


async def test_when_the_api_key_behind_the_pair_is_revoked_a_new_one_brings_the_agent_back(keyed, hub, wire, admin):
    async with keyed() as agent:
        agent_id, public_key = agent.id, agent.keys.public_key
    await admin.revoke_agent_keys()
    with pytest.raises(KeyPairRefused) as caught:
        await keyed().connect()
    assert "new api_key" in caught.value.fix
    fresh = (await hub.running.tenant("default")).agent_key
    wire.sent.clear()
    async with keyed(api_key=fresh) as back:
        assert (back.id, back.keys.public_key, back.keys.in_use) == (agent_id, public_key, True)
        wire.cut()
        await back.activity.broadcast("custom", "here")
    async with keyed(api_key=fresh):
        pass
    assert sum(fresh.encode() in plain(sent) for sent in wire.sent) == 1


async def test_a_hub_that_lost_the_key_says_what_to_do(keyed, hub, wire, admin):
    async with keyed() as agent:
        agent_id = agent.id
        path = agent.keys.path
    await admin.reset_key(agent_id)
    wire.sent.clear()
    with pytest.raises(KeyPairRefused) as caught:
        await keyed().connect()
    assert caught.value.reason == "no_public_key"
    assert not any(hub.api_key.encode() in plain(sent) for sent in wire.sent)
    assert str(path) in caught.value.fix
    path.unlink()
    async with keyed() as again:
        assert (again.id, again.keys.in_use) == (agent_id, True)


async def test_a_hub_that_is_not_there_is_waited_for(keyed, wire, until):
    async with keyed() as agent:
        wire.down = True
        wire.cut()
        await until(lambda: wire.connects >= 4)
        wire.down = False
        await agent.activity.broadcast("custom", "back")
        wire.down = True
    with pytest.raises(ConnectionLost):
        await keyed(connect_timeout=0.5).connect()


async def test_a_challenge_that_was_pushed_out_is_asked_for_anew(keyed, wire, until, monkeypatch):
    answers = iter([os.urandom(32), os.urandom(32)])

    async def ask(*arguments, **options):
        nonce = await ask_challenge(*arguments, **options)
        return next(answers, nonce)

    async with keyed() as agent:
        monkeypatch.setattr(credentials_module, "ask_challenge", ask)
        wire.cut()
        await agent.activity.broadcast("custom", "in after all")
        assert next(answers, None) is None
        answers = iter([os.urandom(32) for _ in range(3)])
        wire.cut()
        with pytest.raises(KeyPairRefused, match="key_pair_refused"):
            await agent.activity.broadcast("custom", "never")


async def test_a_hub_that_wants_fewer_challenges_is_waited_for(agent_of, keys, tmp_path):
    testkit = pytest.importorskip("ringforge_core.testkit.hub", reason="ringforge-core is not installed")
    (tmp_path / "busy").mkdir()
    settings = {"RINGFORGE__LIMITS__CHALLENGES_PER_ADDRESS": "1/second"}
    async with testkit.running_hub(tmp_path / "busy", settings=settings) as busy:
        options = {"api_key": busy.keys.agent_key, "name": "builder", "key_directory": keys}
        for _ in range(4):
            async with Agent(busy.websocket_url, **options) as agent:
                await agent.activity.broadcast("custom", "in")


async def test_a_hub_that_knows_no_key_pairs_gets_the_api_key_each_time(fake_hub, keys, until):
    url = f"ws://127.0.0.1:{fake_hub.port}"
    async with Agent(url, api_key=fake_hub.api_key, name="builder", key_directory=keys) as agent:
        assert not agent.keys.in_use
        fake_hub.abort_all()
        await until(lambda: not agent.connected)
        await agent.activity.broadcast("custom", "in")

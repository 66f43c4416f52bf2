"""What an agent's developer sees of direct messages, on a real hub."""

from __future__ import annotations

import asyncio
import random

import pytest
from ringforge import ConnectionLost, InvalidPayload, NoAnswer, NotFound, Undeliverable


@pytest.fixture
def hub(real_hub):
    return real_hub


async def take(stream, number, seconds=20):
    async with asyncio.timeout(seconds):
        return [await anext(stream) for _ in range(number)]


async def test_a_message_arrives_and_its_receipts_come_back(agent_of):
    async with agent_of("ann") as ann, agent_of("bob") as bob:
        receipts, inbox = ann.dm.receipts(), aiter(bob.dm)
        await bob.presence.roster()  # the hub is done with its arrival
        sent = await ann.dm.send(bob.id, {"text": "hello"})
        assert (sent.to, sent.status) == (bob.id, "delivered")
        [message] = await take(inbox, 1)
        assert (message.message_id, message.content) == (sent.message_id, {"text": "hello"})
        assert (message.sender.agent_id, message.sender.name) == (ann.id, "ann")
        assert (message.needs_ack, message.attempt) == (False, 1)
        await message.ack()
        await message.mark_read()
        told = await take(receipts, 2)
        assert {(each.message_id, each.to, each.status) for each in told} == {
            (sent.message_id, bob.id, "delivered"), (sent.message_id, bob.id, "read"),
        }  # fmt: skip


async def test_what_was_sent_to_an_agent_that_was_away_waits_for_its_first_reader(agent_of, until):
    async with agent_of("ann") as ann:
        bob = agent_of("bob")
        async with bob:
            pass
        for text in ("one", "two"):
            assert (await ann.dm.send(bob.id, text)).status == "queued"
        receipts = ann.dm.receipts()
        async with agent_of("bob") as back:
            await take(receipts, 2)  # both are with the other agent, which has not asked for them yet
            assert [message.content for message in await take(aiter(back.dm), 2)] == ["one", "two"]


async def test_a_question_gets_its_answer_and_nothing_else_does(agent_of):
    async with agent_of("ann") as ann, agent_of("bob") as bob:
        others, receipts = aiter(ann.dm), bob.dm.receipts()

        async def answer():
            async for message in bob.dm:
                await bob.dm.send(ann.id, "by the way")
                await message.reply({"double": message.content * 2}, ack=True)

        answering = asyncio.create_task(answer())
        replies = await asyncio.gather(*(ann.dm.request(bob.id, number) for number in range(5)))
        assert [reply.content for reply in replies] == [{"double": number * 2} for number in range(5)]
        assert [message.content for message in await take(others, 5)] == ["by the way"] * 5
        assert {receipt.status for receipt in await take(receipts, 10)} == {"delivered"}  # answers are acknowledged
        answering.cancel()


async def test_no_answer_in_time_is_an_error_and_a_late_one_an_ordinary_message(agent_of):
    async with agent_of("ann") as ann, agent_of("bob") as bob:
        with pytest.raises(NoAnswer) as caught:
            await ann.dm.request(bob.id, "hello?", timeout=0.2)
        assert caught.value.extras["to"] == bob.id
        [question] = await take(aiter(bob.dm), 1)
        await question.reply("late")
        [message] = await take(aiter(ann.dm), 1)
        assert (message.content, message.correlation_id) == ("late", question.correlation_id)


async def test_who_cannot_get_a_message_is_told(agent_of):
    async with agent_of("ann") as ann:
        with pytest.raises(Undeliverable) as caught:
            await ann.dm.send("ag_000000000000", "hello")
        assert (caught.value.reason, caught.value.to) == ("not_found", "ag_000000000000")
        with pytest.raises(InvalidPayload, match="self_message"):
            await ann.dm.send(ann.id, "hello")
        with pytest.raises(InvalidPayload, match="payload_too_large"):
            await ann.dm.send("dashboard", "x" * 200_000)
        with pytest.raises(NotFound):
            await ann.dm.mark_read("msg_unknown")
        await ann.dm.send("dashboard", "hello, human")


async def test_the_history_goes_back_page_by_page(agent_of):
    async with agent_of("ann") as ann, agent_of("bob") as bob:
        for number in range(7):
            await (ann.dm.send(bob.id, number) if number % 2 else bob.dm.send(ann.id, number))
        newest_first = [message async for message in ann.dm.history(bob.id, page=3)]
        assert [message.content for message in newest_first] == [6, 5, 4, 3, 2, 1, 0]
        assert {(message.sender.name, message.to) for message in newest_first} == {("ann", bob.id), ("bob", ann.id)}


async def test_typing_is_shown(agent_of):
    async with agent_of("ann") as ann, agent_of("bob") as bob:
        shown = bob.dm.typing()
        await ann.dm.start_typing(bob.id)
        [typing] = await take(shown, 1)
        assert (typing.agent_id, typing.name) == (ann.id, "ann")


async def test_a_message_that_must_be_acknowledged_comes_to_the_next_process_until_it_is(agent_of):
    async with agent_of("ann") as ann:
        receipts = ann.dm.receipts()
        async with agent_of("bob") as crashed:
            sent = await ann.dm.send(crashed.id, "work", ack=True)
            [message] = await take(aiter(crashed.dm), 1)
            assert message.needs_ack
        async with agent_of("bob") as second:
            [again] = await take(aiter(second.dm), 1)
            assert (again.message_id, again.attempt > 1) == (sent.message_id, True)
            await again.ack()
            await again.ack()
            [receipt] = await take(receipts, 1)
            assert (receipt.message_id, receipt.status) == (sent.message_id, "delivered")
        async with agent_of("bob") as third:
            await ann.dm.send(third.id, "more")
            assert [message.content for message in await take(aiter(third.dm), 1)] == ["more"]


async def test_a_message_that_was_not_dealt_with_is_taken_again(agent_of, until):
    async with agent_of("ann") as ann, agent_of("bob") as bob:
        inbox = aiter(bob.dm)
        await ann.dm.send(bob.id, "work", ack=True)
        [message] = await take(inbox, 1)
        message.nack()
        bob._session._channel._socket.transport.abort()  # the hub brings it again with the next connection
        [again] = await take(inbox, 1)
        assert again.message_id == message.message_id
        await again.ack()


async def test_a_question_that_waits_ends_with_the_agent(agent_of, until):
    async with agent_of("ann") as ann, agent_of("bob") as bob:
        asked = asyncio.create_task(ann.dm.request(bob.id, "hello?"))
        await take(aiter(bob.dm), 1)
        await ann.close()
        with pytest.raises(ConnectionLost, match="closed"):
            await asked


@pytest.mark.parametrize("seed", range(4))
async def test_over_a_wire_that_is_cut_acknowledged_messages_come_once_in_order(agent_of, wire, seed):
    chance = random.Random(seed)  # noqa: S311 — a test's dice
    async with agent_of("ann") as ann, agent_of("bob") as bob:
        inbox, got, to = aiter(bob.dm), [], bob.id

        async def send():
            for number in range(100):
                await ann.dm.send(to, number, ack=True)

        async def receive():
            async with asyncio.timeout(60):
                while set(got) != set(range(100)):
                    message = await anext(inbox)
                    got.append(message.content)
                    await message.ack()

        async def cut():
            for _ in range(6):
                await asyncio.sleep(chance.uniform(0.0, 0.3))
                wire.cut()

        await asyncio.gather(send(), receive(), cut())
        assert got == list(range(100))
        history = [message.content async for message in bob.dm.history(ann.id)]
        assert history == list(reversed(range(100)))

"""An answer of a browser is a proof, or it is refused: for a sign-in, and for a new passkey."""

from __future__ import annotations

from ringforge_auth_passkeys import challenges, passkeys
from ringforge_auth_passkeys.ceremonies import AddAnswer, SignInAnswer, not_good
from ringforge_auth_passkeys.desk import AnswerForm, Desk
from ringforge_core.errors import Unauthenticated
from ringforge_core.plugin import new_uuid, now
from ringforge_core.plugin.web import SignedIn
from ringforge_core.ports.auth import Mail

TRANSPORTS = frozenset({"ble", "hybrid", "internal", "nfc", "smart-card", "usb"})
"""How a browser may reach an authenticator, of WebAuthn's registry."""


async def sign_in(desk: Desk, text: str) -> str:
    """The id of whose passkey it is. Raises `Unauthenticated`, and `LimitReached` when too much was tried."""
    answer, party = SignInAnswer(text), desk.party
    await desk.entrance.count_try(desk.request, answer.challenge.hex())  # by address: nobody guesses a key
    await challenges.take(desk.store, "sign_in", desk.visit, answer.challenge)
    found = await passkeys.find_candidate(desk.store, answer.credential_id)
    if found is None:
        raise not_good("there is no such passkey")
    if found.party_id != party.id:
        raise not_good(f"it was made for {found.party_id}, and this is {party.id}")
    if found.user_id != answer.user_handle:
        raise not_good("it says that it is another person's")
    used = answer.check(party, answer.challenge, found.credential)
    if not await passkeys.use(desk.store, found.id, used.sign_count, synced=used.synced):
        problem = "the passkey's counter did not grow"
        await desk.entrance.tell_failure(desk.request, found.user_id, method="passkey", problem=problem)
        raise Unauthenticated(
            "This passkey was used elsewhere meanwhile: there may be a copy of it.", reason="passkey_copied",
            fix="Sign in another way, and remove it.",
        )  # fmt: skip
    return found.user_id


async def add_passkey(desk: Desk, person: SignedIn, form: AnswerForm) -> None:
    """Raises `Unauthenticated`, and `Conflict`."""
    answer, party = AddAnswer(form.answer), desk.party
    await challenges.take(desk.store, "add", person.session_id, answer.challenge)
    made = answer.check(party, answer.challenge)
    name = passkeys.tidy_name(form.name)
    command = passkeys.Add(
        by=desk.actor(person), id=new_uuid(), credential_id=made.credential_id, credential=made.credential,
        party_id=party.id, sign_count=made.sign_count, synced=made.synced,
        transports=sorted(TRANSPORTS.intersection(form.transports.split())), name=name,
        letter=desk.entrance.letter(_added_mail(person, name, desk.base_url)), at=now(),
    )  # fmt: skip
    await passkeys.add(desk.store, command)


def _added_mail(person: SignedIn, name: str, base_url: str) -> Mail:
    return Mail(
        person.email, "A passkey was added to your account",
        f"The passkey “{name}” was added to your Ringforge account: who has it signs in as you.\n\n"
        f"If it was not you, set a new password, remove the passkey and end all sessions: {base_url}/",
    )  # fmt: skip

"""The service provider that is attacked: one provider, whose key the tests have."""

from __future__ import annotations

from typing import Any

import pytest
from ringforge_auth_saml import Saml, SamlSettings
from ringforge_auth_saml.settings import ProviderSettings
from saml_peers import ENTITY_ID, ISSUER, KeyPair
from structlog.testing import capture_logs

from ringforge_core.errors import Unauthenticated
from ringforge_core.plugin import AdapterContext
from ringforge_core.ports.auth import Begun, VerifiedIdentity
from ringforge_core.testkit.auth import answer, new_attempt

KEYS = KeyPair()


def saml(keys: KeyPair = KEYS, **other: Any) -> Saml:
    provider = ProviderSettings(
        tenant="acme", domains=("example.org",), entity_id=ISSUER, sso_url="https://id.acme.example/sso",
        certificates=(keys.certificate_pem,),
    )  # fmt: skip
    context = AdapterContext(data_directory=None, store=None, node="test")  # type: ignore[arg-type]  # not needed
    return Saml(SamlSettings(entity_id=ENTITY_ID, providers={"acme": provider}, **other), context)


async def begun(auth: Saml) -> tuple[Begun, str]:
    """The attempt, and the ID of its request."""
    attempt = await auth.begin(new_attempt())
    return attempt, attempt.kept["request"]


async def complete(auth: Saml, attempt: Begun, text: str) -> VerifiedIdentity:
    return await auth.complete(answer({"SAMLResponse": text, "RelayState": "state"}, attempt))


async def refusal(auth: Saml, attempt: Begun, text: str) -> str:
    """Why the answer is refused, as the operator reads it."""
    with capture_logs() as logs, pytest.raises(Unauthenticated) as refused:
        await complete(auth, attempt, text)
    assert "SAML" not in refused.value.message, "the person is not told how close it was"
    (cause,) = [entry["cause"] for entry in logs if entry["event"] == "saml.refused"]
    return str(cause)

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringforge_core.errors import Refused
from ringforge_core.identity import NOTHING, AgentClaim, Credentials, parse_connect, parse_join_credentials

KEY = "rf_live_" + "k" * 32
PUBLIC_KEY = bytes(range(200, 232))  # its base64 has both of the characters in which the alphabets differ
on_a_busy_machine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SIGNATURE = bytes([251, 255, 254]) * 21 + b"!"


def connect(query: str | bytes = b"", **headers: str) -> Credentials:
    query = query.encode() if isinstance(query, str) else query
    return parse_connect(query, [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()])


def phoenix_js(params: dict[str, Any], prefix: str = "") -> str:
    """As `Ajax.serialize` of phoenix.js: lists become maps of their indexes, null an empty piece."""
    pieces = []
    for key, value in params.items():
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, list):
            value = {str(index): item for index, item in enumerate(value)}
        if isinstance(value, dict):
            pieces.append(phoenix_js(value, name))
        else:
            pieces.append("" if value is None else f"{quote(name, safe='')}={quote(value, safe='')}")
    return "&".join(pieces)


texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=100)
agents = st.fixed_dictionaries(
    {},
    optional={
        "name": texts,
        "framework": texts,
        "capabilities": st.lists(texts, min_size=1, max_size=64),
        "public_key": st.binary(min_size=32, max_size=32),
    },
)


def claim_of(agent: dict[str, Any]) -> AgentClaim:
    capabilities = agent.get("capabilities")
    return AgentClaim(**{**agent, "capabilities": None if capabilities is None else tuple(capabilities)})


def on_the_wire(agent: dict[str, Any]) -> dict[str, Any]:
    key = agent.get("public_key")
    return agent if key is None else {**agent, "public_key": base64.b64encode(key).decode()}


@on_a_busy_machine
@given(agents)
def test_d29_agent_as_json_text_is_read(agent: dict[str, Any]) -> None:
    query = urlencode({"api_key": KEY, "agent": json.dumps(on_the_wire(agent)), "vsn": "2.0.0"})
    assert connect(query) == Credentials(api_key=KEY, agent=claim_of(agent))


@on_a_busy_machine
@given(agents.filter(bool))
def test_d30_agent_as_phoenix_js_nests_it_is_read(agent: dict[str, Any]) -> None:
    query = phoenix_js({"api_key": KEY, "agent_id": None, "agent": on_the_wire(agent), "vsn": "2.0.0"})
    assert connect(query) == Credentials(api_key=KEY, agent=claim_of(agent))


def test_d30_capabilities_come_in_the_order_of_their_indexes_or_with_empty_brackets() -> None:
    indexed = "&".join(f"agent[capabilities][{index}]=c{index}" for index in reversed(range(12)))
    assert connect(f"api_key={KEY}&{indexed}").agent == AgentClaim(capabilities=tuple(f"c{i}" for i in range(12)))
    appended = "agent[capabilities][]=b&agent[capabilities][]=a"
    assert connect(f"api_key={KEY}&{appended}").agent == AgentClaim(capabilities=("b", "a"))


@pytest.mark.parametrize(
    "form",
    [
        base64.b64encode(SIGNATURE).decode(),
        base64.b64encode(SIGNATURE).decode().replace("+", " "),
        base64.urlsafe_b64encode(SIGNATURE).decode(),
        base64.urlsafe_b64encode(SIGNATURE).decode().rstrip("="),
    ],
    ids=["standard", "plus became space", "url-safe", "no padding"],
)
def test_signatures_are_read_in_every_base64(form: str) -> None:
    assert connect(f"agent_id=ag_1&challenge_response={form}").challenge_response == SIGNATURE
    assert connect(f"agent_id=ag_1&challenge_response={quote(form)}").challenge_response == SIGNATURE


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer  "])
def test_d31_keys_may_come_in_a_header(scheme: str) -> None:
    assert connect(authorization=scheme + KEY) == Credentials(api_key=KEY)


def test_d31_keys_may_come_in_the_subprotocol_of_phoenix_js() -> None:
    token = base64.b64encode(KEY.encode()).decode().rstrip("=")
    offered = f"phoenix, base64url.bearer.phx.{token}"
    assert connect(sec_websocket_protocol=offered) == Credentials(api_key=KEY)
    assert connect(sec_websocket_protocol="phoenix") == NOTHING


def test_d31_keys_never_show_in_a_repr() -> None:
    assert KEY not in repr(Credentials(api_key=KEY, agent=AgentClaim(name="a")))


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        (f"api_key={KEY}&agent=%7B%7D", "registration"),
        (f"api_key={KEY}&agent=%7B%7D&agent_id=ag_1", "registration"),
        (f"api_key={KEY}&agent_id=ag_1", "reconnect"),
        ("agent_id=ag_1&challenge_response=AAAA", "challenge"),
        (f"api_key={KEY}", "key_only"),
        (f"api_key={KEY}&agent=&&agent_id=&agent[capabilities]=", "key_only"),
        ("", "deferred"),
        ("vsn=2.0.0&&", "deferred"),
        ("vsn=2.0.17", "deferred"),
    ],
)
def test_modes_are_matched_in_the_order_of_the_protocol(query: str, mode: str) -> None:
    assert connect(query).mode == mode


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("agent_id=ag_1", "missing_credentials"),
        ("agent=%7B%7D", "missing_credentials"),
        ("vsn=1.0.0", "unsupported_vsn"),
        ("vsn=2.1.0", "unsupported_vsn"),
        ("vsn=2.0.", "unsupported_vsn"),
        (f"api_key={KEY}&agent=bot", "invalid_agent"),
        (f"api_key={KEY}&agent=[1]", "invalid_agent"),
        (f"api_key={KEY}&agent=" + "[" * 50_000, "invalid_agent"),
        (f'api_key={KEY}&agent={{"name":7}}', "invalid_agent"),
        (f'api_key={KEY}&agent={{"name":"a\\u0000"}}', "invalid_agent"),
        (f"api_key={KEY}&agent[name]={'n' * 101}", "invalid_agent"),
        (f"api_key={KEY}&agent[framework]={'n' * 101}", "invalid_agent"),
        (f"api_key={KEY}&agent[name][first]=a", "invalid_agent"),
        (f"api_key={KEY}&agent[capabilities][1]=a", "invalid_agent"),
        (f"api_key={KEY}&agent[capabilities][0]={'c' * 101}", "invalid_agent"),
        (f"api_key={KEY}&" + "&".join("agent[capabilities][]=c" for _ in range(65)), "invalid_agent"),
        (f"api_key={KEY}&agent[public_key]=AAAA", "invalid_public_key"),
        (f"api_key={KEY}&agent[public_key]=no!", "invalid_public_key"),
        ("agent_id=ag_1&challenge_response=*", "invalid_challenge"),
        ("api_key[x]=1", "invalid_payload"),
        ("agent=%7B%7D&agent[name]=a", "invalid_payload"),
        ("agent[name]=a&agent[name][b]=c", "invalid_payload"),
        ("api_key=%ff", "invalid_payload"),
    ],
)
def test_wrong_credentials_are_refused_with_a_reason(query: str, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        connect(query)
    assert refusal.value.reason == reason
    assert refusal.value.message
    assert refusal.value.fix
    assert KEY not in str(refusal.value.as_reply())


pieces = st.sampled_from(b"& = [ ] % %5B %00 api_key agent agent_id name capabilities {} vsn".split())
header_names = st.sampled_from([b"authorization", b"sec-websocket-protocol", b"host"])
header_values = st.builds(bytes.__add__, st.sampled_from([b"", b"Bearer ", b"base64url.bearer.phx."]), st.binary())


@on_a_busy_machine
@given(
    st.one_of(st.binary(), st.lists(st.one_of(pieces, st.binary(max_size=3))).map(b"".join)),
    st.lists(st.tuples(header_names, header_values), max_size=3),
)
def test_any_bytes_give_credentials_or_a_refusal(query: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    with suppress(Refused):
        assert parse_connect(query, headers).mode


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)
credential_fields = st.sampled_from(["api_key", "agent", "agent_id", "challenge_response", "payload"])


@on_a_busy_machine
@given(st.dictionaries(credential_fields, json_values))
def test_any_join_payload_gives_credentials_or_a_refusal(payload: dict[str, Any]) -> None:
    with suppress(Refused):
        credentials = parse_join_credentials(payload)
        assert credentials is None or credentials.mode


def test_joins_carry_the_same_credentials() -> None:
    assert parse_join_credentials({"api_key": KEY, "agent": {"name": "a"}, "payload": {"state": "busy"}}) == Credentials(
        api_key=KEY, agent=AgentClaim(name="a")
    )
    assert parse_join_credentials({"api_key": KEY, "agent_id": "ag_1", "agent": None}) == Credentials(
        api_key=KEY, agent_id="ag_1"
    )
    assert parse_join_credentials({"payload": {"name": "a"}}) is None


def test_d29_a_join_with_a_key_alone_is_known_again_by_the_name_in_its_presence() -> None:
    presence = {"payload": {"name": "scout", "framework": "crew", "state": "online"}}
    scout = Credentials(api_key=KEY, agent=AgentClaim(name="scout", framework="crew"))
    assert parse_join_credentials({"api_key": KEY, **presence}) == scout
    assert parse_join_credentials(presence, connect=Credentials(api_key=KEY)) == scout
    assert (
        parse_join_credentials({"agent": {"name": "scout", "framework": "crew"}}, connect=Credentials(api_key=KEY)) == scout
    )


def test_the_key_of_the_join_wins_over_the_key_of_the_connect() -> None:
    joined = parse_join_credentials({"api_key": "rf_live_other", "agent": {}}, connect=Credentials(api_key=KEY))
    assert joined == Credentials(api_key="rf_live_other", agent=AgentClaim())

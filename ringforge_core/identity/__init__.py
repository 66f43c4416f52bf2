"""Who may be here: tenants, fleets, API keys and agents, from the bytes of a connect request to an `AgentSession`."""

from ringforge_core.identity.actor import HUB, Actor
from ringforge_core.identity.admission import Admission
from ringforge_core.identity.agents import delete_agent
from ringforge_core.identity.bootstrap import Bootstrap, bootstrap, first_start
from ringforge_core.identity.claim import AgentClaim
from ringforge_core.identity.credentials import NOTHING, Credentials, parse_connect, parse_join_credentials
from ringforge_core.identity.description import KeyDescription, describe_key
from ringforge_core.identity.ids import (
    KeyKind,
    iso,
    key_digest,
    key_prefix,
    new_agent_id,
    new_api_key,
    new_event_id,
    new_id,
    new_uuid,
    now,
)
from ringforge_core.identity.keys import Keys
from ringforge_core.identity.purge import FleetPurge
from ringforge_core.identity.revocation import RevocationWatch
from ringforge_core.identity.sessions import Sessions
from ringforge_core.identity.verified_keys import KeyHolder
from ringforge_core.plugin.records import CreatedKey, KeyInfo, RotatedKey

__all__ = [
    "HUB",
    "NOTHING",
    "Actor",
    "Admission",
    "AgentClaim",
    "Bootstrap",
    "CreatedKey",
    "Credentials",
    "FleetPurge",
    "KeyDescription",
    "KeyHolder",
    "KeyInfo",
    "KeyKind",
    "Keys",
    "RevocationWatch",
    "RotatedKey",
    "Sessions",
    "bootstrap",
    "delete_agent",
    "describe_key",
    "first_start",
    "iso",
    "key_digest",
    "key_prefix",
    "new_agent_id",
    "new_api_key",
    "new_event_id",
    "new_id",
    "new_uuid",
    "now",
    "parse_connect",
    "parse_join_credentials",
]

"""Tenants and keys from the command line, on a real database."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Run


def test_bootstrap_makes_a_tenant_with_a_pair_of_keys(run: Run) -> None:
    made = run("bootstrap", "--json")
    assert made.code == 0
    assert made.err == ""
    assert set(made.json) >= {"tenant_id", "fleet_id", "admin_key", "agent_key", "created"}
    assert made.json["admin_key"].startswith("rf_admin_")
    assert made.json["agent_key"].startswith("rf_live_")
    assert Path("ringforge-data/hub.db").exists()


def test_bootstrap_again_finds_the_tenant_and_another_name_makes_another(run: Run) -> None:
    first, again, other = (
        run("bootstrap", "--json"),
        run("bootstrap", "--json"),
        run("bootstrap", "--tenant", "b", "--json"),
    )
    assert (first.json["created"], again.json["created"], other.json["created"]) == (True, False, True)
    assert first.json["tenant_id"] == again.json["tenant_id"] != other.json["tenant_id"]
    assert first.json["fleet_id"] == again.json["fleet_id"]


def test_bootstrap_for_people_shows_the_keys(run: Run) -> None:
    shown = run("bootstrap").out
    assert "rf_admin_" in shown
    assert "shown this once" in shown


def test_a_key_is_created_listed_and_revoked(run: Run) -> None:
    run("bootstrap")
    made = run("keys", "create", "--kind", "test", "--name", "scout", "--expires-at", "2100-01-31", "--json").json
    assert made["key"].startswith("rf_test_")
    listed = {key["id"]: key for key in run("keys", "list", "--json").json}
    assert listed[made["id"]]["name"] == "scout"
    assert listed[made["id"]]["expires_at"] == "2100-01-31T00:00:00Z"
    assert "key" not in listed[made["id"]]
    assert made["key"][:12] in run("keys", "list").out

    assert run("keys", "revoke", made["id"], "--json").json == {"id": made["id"], "revoked": True}
    assert made["id"] not in run("keys", "list").out


def test_the_tenant_is_named_when_there_are_several(run: Run) -> None:
    nobody = run("keys", "list")
    assert (nobody.code, "fix: Make one: ringforge bootstrap" in nobody.err) == (1, True)
    run("bootstrap")
    other = run("bootstrap", "--tenant", "acme", "--json").json

    ambiguous = run("keys", "create")
    assert ambiguous.code == 1
    assert "fix: Name one with --tenant: default, acme" in ambiguous.err
    by_name, by_id = run("keys", "list", "--tenant", "acme"), run("keys", "list", "--tenant", other["tenant_id"])
    assert by_name.out == by_id.out != ""


@pytest.mark.parametrize(
    "arguments", [["revoke", "nothing"], ["list", "--tenant", "nobody"], ["create", "--fleet", "nowhere"]]
)
def test_what_is_not_there_is_an_error(run: Run, arguments: list[str]) -> None:
    run("bootstrap")
    ended = run("keys", *arguments)
    assert ended.code == 1
    assert ended.err.startswith("error: ")
    assert ended.out == ""


def test_a_key_of_another_tenant_is_not_revoked(run: Run) -> None:
    run("bootstrap")
    run("bootstrap", "--tenant", "acme")
    (key, *_) = run("keys", "list", "--tenant", "acme", "--json").json
    assert run("keys", "revoke", key["id"], "--tenant", "default").code == 1
    assert key["id"] in run("keys", "list", "--tenant", "acme").out

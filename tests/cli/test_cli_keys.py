"""Tenants and keys from the command line, on a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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


def test_a_key_is_replaced_and_the_old_one_works_for_the_grace_period(run: Run) -> None:
    run("bootstrap")
    old = run("keys", "create", "--kind", "test", "--name", "scout", "--json").json
    rotated = run("keys", "rotate", old["id"], "--grace-hours", "2", "--json").json
    assert rotated["key"]["key"].startswith("rf_test_")
    assert rotated["key"]["key"] != old["key"]
    assert rotated["key"]["name"] == "scout"
    assert rotated["replaced_id"] == old["id"]
    listed = {key["id"]: key for key in run("keys", "list", "--json").json}
    ends = datetime.fromisoformat(listed[old["id"]]["expires_at"])
    assert timedelta(hours=1.9) < ends - datetime.now(UTC) <= timedelta(hours=2)
    assert listed[rotated["key"]["id"]]["expires_at"] is None

    shown = run("keys", "rotate", rotated["key"]["id"])
    assert shown.out.startswith("rf_test_")
    assert f"{rotated['key']['id']} works until " in shown.out


def test_a_grace_period_that_is_too_long_is_wrong_usage(run: Run) -> None:
    made = run("bootstrap", "--json")
    assert made.code == 0
    (key, *_) = run("keys", "list", "--json").json
    refused = run("keys", "rotate", key["id"], "--grace-hours", "721")
    assert (refused.code, "721" in refused.err, "720" in refused.err) == (2, True, True)
    assert len(run("keys", "list", "--json").json) == 2


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
    "arguments",
    [["revoke", "nothing"], ["rotate", "nothing"], ["list", "--tenant", "nobody"], ["create", "--fleet", "nowhere"]],
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
    assert run("keys", "rotate", key["id"], "--tenant", "default").code == 1
    assert key["id"] in run("keys", "list", "--tenant", "acme").out

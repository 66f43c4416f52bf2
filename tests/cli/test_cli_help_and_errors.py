"""The help teaches, errors are `error: …` and `fix: …`, exit codes are as documented."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Run

from ringforge_core.cli.root import COMMANDS


def test_the_help_names_every_command_and_the_exit_codes(run: Run) -> None:
    shown = run("--help")
    assert shown.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in shown.out
    assert "78 wrong configuration" in shown.out


@pytest.mark.parametrize("command", [*COMMANDS, "keys create", "keys list", "keys revoke"])
def test_every_command_has_help_with_what_it_is_for(run: Run, command: str) -> None:
    shown = run(*command.split(), "--help")
    assert shown.code == 0
    assert f"Usage: ringforge {command}" in shown.out
    if " " not in command:
        assert f"\n  ringforge {command}" in shown.out, "an example to copy"


def test_help_in_a_pipe_has_no_colours(run: Run) -> None:
    assert "\x1b" not in run("--help").out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["serv"], 'error: no such command "serv"; did you mean "serve"?'),
        (["keys", "creat"], 'error: no such command "creat"; did you mean "create"?'),
        (["serve", "--lisen", "x"], "error: No such option '--lisen'"),
        (["keys", "create", "--kind", "root"], "error: Invalid value for '--kind'"),
        (["keys", "create", "--expires-at", "soon"], '"soon" is not a time such as 2030-01-31'),
        (["keys", "create", "--expires-at", "2001-01-01"], "2001-01-01 is in the past"),
    ],
)
def test_wrong_usage_is_2_and_points_to_the_help(run: Run, arguments: list[str], error: str) -> None:
    ended = run(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert error in ended.err
    assert "fix: ringforge" in ended.err


@pytest.mark.parametrize("command", ["serve", "bootstrap", "plugins", "check-config", "asyncapi"])
def test_a_wrong_configuration_is_78_with_every_problem_on_its_line(run: Run, command: str) -> None:
    Path("ringforge.toml").write_text("[hub]\nlisn = 1\n[log]\nlevel = 'loud'\n")
    ended = run(command)
    assert ended.code == 78
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert 'error: ringforge.toml: [hub] has no key "lisn"; did you mean "listen"?' in lines
    assert any(line.startswith("error: ringforge.toml: [log] level: expected one of") for line in lines)
    assert any(line.startswith("fix: ") for line in lines)
    assert "Traceback" not in ended.err


def test_a_plugin_that_is_not_installed_is_78_with_its_package(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGFORGE__EVENT_BUS__USE", "nats")
    ended = run("check-config")
    assert ended.code == 78
    assert "fix: pip install ringforge-eventbus-nats" in ended.err


@pytest.mark.parametrize(
    "arguments", [["--config", "other.toml", "check-config"], ["check-config", "--config", "other.toml"]]
)
def test_the_file_can_be_named_before_and_after_the_command(run: Run, arguments: list[str]) -> None:
    Path("other.toml").write_text("[hub]\nnode = 'other'\n")
    shown = run(*arguments, "--json")
    assert shown.json["file"] == "other.toml"


def test_a_fault_of_ours_shows_no_traceback_unless_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringforge_core.cli.plugins.PluginManager.installed", lambda self: 1 / 0)
    ended = run("plugins")
    assert ended.code == 1
    assert ended.err.startswith("error: ZeroDivisionError: division by zero\nfix: ")
    monkeypatch.setenv("RINGFORGE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run("plugins")

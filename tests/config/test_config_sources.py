"""Defaults, the file, the environment, the command line: what wins, and what text from outside a file means."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringforge_core.config import Config, Override, load_config
from ringforge_core.errors import ConfigError


@pytest.fixture(autouse=True)
def empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, name: str = "ringforge.toml") -> Path:
    Path(name).write_text(text)
    return Path(name)


def test_without_a_file_there_are_defaults() -> None:
    config = load_config(None, {})
    assert config.hub.address == ("127.0.0.1", 4000)
    assert config.store.url == "sqlite:///ringforge-data/hub.db"
    assert config.event_bus.use == "local"
    assert config.capabilities.use == (
        "presence",
        "activity",
        "replay",
        "memory",
        "inbox",
        "direct",
        "groups",
        "auth",
        "profiles",
        "fleets",
    )
    assert config.origins.file is None


def test_the_file_in_the_working_directory_is_read() -> None:
    write('[hub]\nlisten = "127.0.0.1:1"\nidle_seconds = 5\n')
    config = load_config(None, {})
    assert (config.hub.listen, config.hub.idle_seconds, config.hub.drain_seconds) == ("127.0.0.1:1", 5.0, 30.0)


def test_a_variable_names_the_file_and_an_argument_wins_over_it() -> None:
    write('[hub]\nnode = "default"\n')
    write('[hub]\nnode = "variable"\n', "variable.toml")
    argument = write('[hub]\nnode = "argument"\n', "argument.toml")
    environ = {"RINGFORGE_CONFIG": "variable.toml"}
    assert load_config(None, environ).hub.node == "variable"
    assert load_config(argument, environ).hub.node == "argument"


def test_the_environment_wins_over_the_file_and_the_command_line_over_both() -> None:
    write('[hub]\nnode = "file"\n')
    environ = {"RINGFORGE__HUB__NODE": "environment"}
    assert load_config(None, environ).hub.node == "environment"
    override = Override(("hub", "node"), "option", "--node")
    assert load_config(None, environ, [override]).hub.node == "option"


def test_each_value_knows_where_it_came_from() -> None:
    write('[hub]\nnode = "file"\n')
    options = [Override(("hub", "listen"), "127.0.0.1:2", "--listen")]
    origins = load_config(None, {"RINGFORGE__LOG__LEVEL": "debug"}, options).origins
    assert origins.of(("hub", "node")) == "ringforge.toml"
    assert origins.of(("log", "level")) == "RINGFORGE__LOG__LEVEL"
    assert origins.of(("hub", "listen")) == "--listen"
    assert origins.of(("hub", "idle_seconds")) is None


def from_environment(name: str, text: str) -> Config:
    return load_config(None, {f"RINGFORGE__{name}": text})


def test_text_from_the_environment_takes_the_type_of_its_setting() -> None:
    assert from_environment("HUB__MAX_MESSAGE_BYTES", "2048").hub.max_message_bytes == 2048
    assert from_environment("HUB__IDLE_SECONDS", "1.5").hub.idle_seconds == 1.5
    assert from_environment("HUB__NODE", "42").hub.node == "42"
    assert from_environment("HUB__DATA_DIRECTORY", "data").hub.data_directory == Path("data")
    assert from_environment("HUB__PUBLIC_URL", "https://hub.example.org").hub.public_url == "https://hub.example.org"


@pytest.mark.parametrize("text", ['["presence", "tasks"]', "presence,tasks", " presence , tasks "])
def test_a_list_in_the_environment_is_toml_or_has_commas(text: str) -> None:
    assert from_environment("CAPABILITIES__USE", text).capabilities.use == ("presence", "tasks")


def test_other_variables_are_none_of_ours() -> None:
    environ = {"RINGFORGE_DEBUG": "1", "RINGFORGE_API_KEY": "x", "PATH": "/bin"}
    assert load_config(None, environ).hub.listen == "127.0.0.1:4000"


def test_the_database_lies_in_the_data_directory_unless_a_url_is_given(tmp_path: Path) -> None:
    moved = from_environment("HUB__DATA_DIRECTORY", str(tmp_path))
    assert moved.store.url == f"sqlite:///{tmp_path}/hub.db"
    given = load_config(None, {"RINGFORGE__HUB__DATA_DIRECTORY": "data", "RINGFORGE__STORE__URL": "sqlite:///my.db"})
    assert given.store.url == "sqlite:///my.db"


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:4000", ("::1", 4000)),
        ("hub.example.org:65535", ("hub.example.org", 65535)),
    ],
)
def test_listen_is_a_host_and_a_port(listen: str, address: tuple[str, int]) -> None:
    assert from_environment("HUB__LISTEN", listen).hub.address == address


@pytest.mark.parametrize("listen", ["4000", "localhost", ":4000", "::1:4000", "localhost:x", "localhost:65536"])
def test_anything_else_is_no_listen(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"RINGFORGE__HUB__LISTEN: \[hub\] listen: expected HOST:PORT"):
        from_environment("HUB__LISTEN", listen)

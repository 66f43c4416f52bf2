"""Whatever is wrong is told with file, table and key, and all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringforge_core.config import load_config
from ringforge_core.errors import ConfigError


@pytest.fixture(autouse=True)
def empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def problems(toml: str, environ: dict[str, str] | None = None) -> list[str]:
    Path("ringforge.toml").write_text(toml)
    with pytest.raises(ConfigError) as caught:
        load_config(None, environ or {})
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('[event_bus]\nus = "nats"', '[event_bus] has no key "us"; did you mean "use"?'),
        ("[log]\nzzz = 1", '[log] has no key "zzz"; known keys: format, level'),
        ("[capabilitis]\nuse = []", "there is no table [capabilitis]; did you mean [capabilities]?"),
        ("listen = 4", "there is no table [listen]; known tables: auth, capabilities, event_bus, hub, limits, log, store"),
        ("hub = 4", "[hub] must be a table, got int 4"),
        ("[hub]\nmax_message_bytes = '1M'", '[hub] max_message_bytes: expected int, got str "1M"'),
        ("[hub]\nmax_message_bytes = true", "[hub] max_message_bytes: expected int, got bool true"),
        ("[hub]\nmax_message_bytes = 1", "[hub] max_message_bytes: expected int >= 1024, got int 1"),
        ("[hub]\npublic_url = 5", "[hub] public_url: expected str or nothing, got int 5"),
        ("[hub]\ndata_directory = 5", "[hub] data_directory: expected str, got int 5"),
        ("[hub]\nlisten = ['a']", "[hub] listen: expected str, got a list"),
        ("[hub.listen]\nhost = 'a'", "[hub] listen: expected str, got a table"),
        ("[hub]\ntrusted_proxies = ['10.0.0.0/8', 1]", "[hub] trusted_proxies: expected str at [1], got int"),
        ("[hub]\ntrusted_proxies = ['x']", "[hub] trusted_proxies: 'x' does not appear to be an IPv4 or IPv6 network"),
        ("[hub]\ntls_key = 'k.pem'", "[hub] tls_key: needs tls_certificate beside it"),
        (
            "[log]\nlevel = 'inf'",
            '[log] level: expected one of debug, info, warning, error, got str "inf"; did you mean "info"?',
        ),
        ("[capabilities]\nuse = ['a', 'b', 'a']", "[capabilities] use: names a more than once"),
    ],
)
def test_a_problem_names_file_table_and_key(toml: str, problem: str) -> None:
    assert problems(toml) == [f"ringforge.toml: {problem}"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("RINGFORGE__HUB__IDLE_SECONDS", "long", '[hub] idle_seconds: expected float, got str "long"'),
        ("RINGFORGE__EVNT_BUS__USE", "nats", "there is no table [evnt_bus]; did you mean [event_bus]?"),
        ("RINGFORGE__EVENT_BUS__USED", "nats", '[event_bus] has no key "used"; did you mean "use"?'),
        ("RINGFORGE__HUB__LISTEN", "x", '[hub] listen: expected HOST:PORT such as "127.0.0.1:4000", got "x"'),
        ("RINGFORGE__HUB", "x", '[hub] must be a table, got str "x"'),
    ],
)
def test_a_problem_in_the_environment_names_the_variable(name: str, text: str, problem: str) -> None:
    assert problems("[hub]\nidle_seconds = 3", {name: text}) == [f"{name}: {problem}"]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found = problems(
        "[hub]\nlisten = 1\nnod = 'a'\n[store]\nqueue_size = 0\n[nothing]\n", {"RINGFORGE__LOG__LEVEL": "loud"}
    )
    assert len(found) == 5
    assert {line.split(": ")[0] for line in found} == {"ringforge.toml", "RINGFORGE__LOG__LEVEL"}


@pytest.mark.parametrize(
    ("toml", "place"),
    [("[hub]\nlisten = \n", "line 2, column 10"), ("[hub]\nlisten = 'a", "end of the file"), ("[hub", "end of the file")],
)
def test_a_syntax_error_names_its_place(toml: str, place: str) -> None:
    (problem,) = problems(toml)
    assert problem.startswith(f"ringforge.toml: {place}: ")


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: there is no such file"):
        load_config(Path("none.toml"), {})
    with pytest.raises(ConfigError, match=r"other\.toml: there is no such file"):
        load_config(None, {"RINGFORGE_CONFIG": "other.toml"})


def test_a_file_that_is_not_text_is_refused() -> None:
    Path("ringforge.toml").write_bytes(b"[hub]\nnode = '\xff'\n")
    with pytest.raises(ConfigError, match=r"ringforge\.toml: is not UTF-8 text"):
        load_config(None, {})


def test_a_password_in_a_url_is_not_repeated() -> None:
    (problem,) = problems("[store]\nqueue_size = 'postgresql://hub:hunter2@db/hub'")
    assert "hunter2" not in problem

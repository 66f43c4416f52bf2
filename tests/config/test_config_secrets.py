"""Secrets by file, by variable or as they are; shown to nobody."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ringforge_core.config import load_config
from ringforge_core.config.effective import effective_values
from ringforge_core.config.plugins import Plugins
from ringforge_core.errors import ConfigError
from ringforge_core.plugin import Secret
from ringforge_core.plugin.secret import redact

NO_PLUGINS = Plugins({"event_bus": (), "auth": ()}, ())


@pytest.fixture(autouse=True)
def empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def operator_token(text: str, **environ: str) -> Secret | None:
    return load_config(None, {"RINGFORGE__HUB__OPERATOR_TOKEN": text, **environ}).hub.operator_token


def test_a_secret_is_given_by_file_by_variable_or_as_it_is(tmp_path: Path) -> None:
    Path("token").write_text("from a file\n")
    assert operator_token("file:token") == Secret("from a file")
    assert operator_token(f"file:{tmp_path / 'token'}") == Secret("from a file")
    assert operator_token("env:TOKEN", TOKEN="from a variable") == Secret("from a variable")
    assert operator_token("literal") == Secret("literal")
    assert load_config(None, {}).hub.operator_token is None


def test_the_database_url_may_be_a_reference_for_it_may_hold_a_password() -> None:
    environ = {"RINGFORGE__STORE__URL": "env:DATABASE_URL", "DATABASE_URL": "postgresql://hub:hunter2@db/hub"}
    assert load_config(None, environ).store.url == "postgresql://hub:hunter2@db/hub"
    with pytest.raises(ConfigError, match=r"RINGFORGE__STORE__URL: \[store\] url: .* DATABASE_URL is not set"):
        load_config(None, {"RINGFORGE__STORE__URL": "env:DATABASE_URL"})


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("file:none", "cannot read the file none: No such file or directory"),
        ("file:empty", "the file empty is empty"),
        ("file:binary", "the file binary is not UTF-8 text"),
        ("env:NONE", "the environment variable NONE is not set"),
        ("env:EMPTY", "the environment variable EMPTY is empty"),
    ],
)
def test_a_secret_that_is_missing_is_an_error_at_its_key(reference: str, problem: str) -> None:
    Path("empty").write_text("\n")
    Path("binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as caught:
        operator_token(reference, EMPTY="")
    assert str(caught.value) == f"RINGFORGE__HUB__OPERATOR_TOKEN: [hub] operator_token: {problem}"


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    assert (
        "hunter2"
        not in f"{secret} {secret!r} {[secret]} {load_config(None, {'RINGFORGE__HUB__OPERATOR_TOKEN': 'hunter2'})}"
    )


def test_a_secret_of_the_wrong_type_is_not_repeated() -> None:
    Path("ringforge.toml").write_text("[hub]\noperator_token = 12345678\n")
    with pytest.raises(ConfigError) as caught:
        load_config(None, {})
    assert "operator_token: expected str, got int" in str(caught.value)
    assert "12345678" not in str(caught.value)


def test_what_is_in_effect_is_shown_without_secrets() -> None:
    config = load_config(
        None, {"RINGFORGE__HUB__OPERATOR_TOKEN": "hunter2", "RINGFORGE__STORE__URL": "postgresql://hub:hunter2@db/hub"}
    )
    shown = {f"{value.table}.{value.key}": value for value in effective_values(config, NO_PLUGINS)}
    assert shown["hub.operator_token"].value == '"[redacted]"'
    assert shown["hub.operator_token"].origin == "RINGFORGE__HUB__OPERATOR_TOKEN"
    assert shown["store.url"].value == '"postgresql://hub:[redacted]@db/hub"'
    assert shown["hub.listen"].origin == "default"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("key rf_live_ab12" + "x" * 28, "key rf_live_ab12…"),
        ("rf_test_ab12" + "x" * 28 + "&vsn=2.0.0", "rf_test_ab12…&vsn=2.0.0"),
        ("rf_admin_ab12" + "x" * 28, "rf_admin_ab12…"),
        ("/ws/websocket?api_key=wrong&vsn=2.0.0", "/ws/websocket?api_key=[redacted]&vsn=2.0.0"),
        ("postgresql://hub:p%40ss@db:5432/hub", "postgresql://hub:[redacted]@db:5432/hub"),
        ("nothing to hide, https://hub.example.org/x?y=1", "nothing to hide, https://hub.example.org/x?y=1"),
    ],
)
def test_keys_and_passwords_are_found_in_texts(text: str, redacted: str) -> None:
    assert redact(text) == redacted
    assert redact(redacted) == redacted


def test_d39_no_secret_has_a_default() -> None:
    def secrets_of(value: object) -> list[object]:
        if isinstance(value, msgspec.Struct):
            return [secret for name in value.__struct_fields__ for secret in secrets_of(getattr(value, name))]
        return [value] if isinstance(value, Secret) else []

    assert secrets_of(load_config(None, {"RINGFORGE__HUB__OPERATOR_TOKEN": "given"})) != []
    assert secrets_of(load_config(None, {})) == []

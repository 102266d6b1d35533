"""Settings: defaults, the environment, and a sentence for what is wrong."""

from pathlib import Path

import pytest

import models
from service.settings import Settings, SettingsError, load_settings, unknown_variables


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DANSHI_{name.upper()}", raising=False)


def test_the_defaults_serve_the_released_model_on_port_8000() -> None:
    settings = load_settings()
    assert settings.port == 8000
    assert settings.model_dir == Path(models.__file__).parent / "released"
    assert settings.threads == 0


def test_the_environment_sets_and_an_option_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANSHI_PORT", "9001")
    monkeypatch.setenv("DANSHI_MAX_TEXTS", "7")
    assert load_settings().port == 9001
    assert load_settings(port="9002").port == 9002
    assert load_settings(port="9002").max_texts == 7


def test_an_empty_variable_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANSHI_PORT", "")
    assert load_settings().port == 8000


LINKED = {  # for a Service named danshi
    "DANSHI_PORT": "tcp://10.96.3.4:8000",
    "DANSHI_PORT_8000_TCP": "tcp://10.96.3.4:8000",
    "DANSHI_PORT_8000_TCP_ADDR": "10.96.3.4",
    "DANSHI_PORT_8000_TCP_PORT": "8000",
    "DANSHI_PORT_8000_TCP_PROTO": "tcp",
    "DANSHI_SERVICE_HOST": "10.96.3.4",
    "DANSHI_SERVICE_PORT": "8000",
    "DANSHI_SERVICE_PORT_HTTP": "8000",
}


def test_what_kubernetes_sets_for_a_service_of_this_name_sets_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    defaults = load_settings()
    for name, value in LINKED.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == defaults
    assert load_settings(port="9001").port == 9001


def test_only_the_port_that_kubernetes_overwrote_is_told() -> None:
    assert list(unknown_variables(LINKED)) == [
        "DANSHI_PORT is tcp://10.96.3.4:8000, which Kubernetes sets for a Service of this name; "
        "that is no port, and is taken as unset."
    ]
    assert len(list(unknown_variables({"DANSHI_SERVICE_HOSTS": "", "DANSHI_PORT_X_TCP": ""}))) == 2


def test_a_link_that_is_given_as_an_option_is_wrong() -> None:
    with pytest.raises(SettingsError, match="must be a whole number from 0 to 65535"):
        load_settings(port="tcp://10.96.3.4:8000")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "port",
            "eighty",
            "DANSHI_PORT (--port) must be a whole number from 0 to 65535, not 'eighty'.",
        ),
        (
            "port",
            "70000",
            "DANSHI_PORT (--port) must be a whole number from 0 to 65535, not '70000'.",
        ),
        (
            "port",
            "http://10.96.3.4:8000",
            "DANSHI_PORT (--port) must be a whole number from 0 to 65535, "
            "not 'http://10.96.3.4:8000'.",
        ),
        (
            "max_texts",
            "0",
            "DANSHI_MAX_TEXTS (--max-texts) must be a whole number from 1 to 10000, not '0'.",
        ),
        (
            "deadline_seconds",
            "0",
            "DANSHI_DEADLINE_SECONDS (--deadline-seconds) must be a number above 0 to 3600, "
            "not '0'.",
        ),
        (
            "log_level",
            "loud",
            "DANSHI_LOG_LEVEL (--log-level) must be one of debug, info, warning, error, "
            "not 'loud'.",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_limit(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"DANSHI_{name.upper()}", value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value) == sentence


def test_several_wrong_values_get_a_sentence_each() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(port="x", threads="-1")
    assert len(str(raised.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"max_body_bytes": 20_000}, "DANSHI_MAX_BODY_BYTES"),
        ({"max_queue_tokens": 30_000}, "DANSHI_MAX_QUEUE_TOKENS"),
        ({"shutdown_grace_seconds": 3}, "DANSHI_SHUTDOWN_GRACE_SECONDS"),
    ],
)
def test_values_that_contradict_each_other_are_refused(values: dict[str, int], named: str) -> None:
    with pytest.raises(SettingsError, match=f"^{named} must .* at least .*, not .*\\.$"):
        load_settings(**values)


def test_a_misspelt_variable_is_told_with_what_was_meant() -> None:
    environment = {"DANSHI_PROT": "1", "DANSHI_PORT": "1", "DANSHI_ZZZZ": "", "PORT": "1"}
    assert list(unknown_variables(environment)) == [
        "DANSHI_PROT is not a setting and changes nothing; did you mean DANSHI_PORT?",
        "DANSHI_ZZZZ is not a setting and changes nothing.",
    ]

"""Everything that can be set, in one typed object; environment prefix `DANSHI_`."""

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX = "DANSHI_"
# What Kubernetes sets in each pod beside a Service named danshi: these names, and as
# DANSHI_PORT the Service's address, as Docker's links had it.
_LINKS = re.compile(r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_TCP(_\w+)?")
_LINK = "tcp://"
# Beside the code of `models`, found without importing it: that takes most of a second.
_MODELS = find_spec("models")
RELEASED_MODEL = (
    Path(_MODELS.origin if _MODELS and _MODELS.origin else "models").parent / "released"
)


class SettingsError(ValueError):
    """Wrong settings; the message holds one sentence for each, a line each."""


class _Environment(EnvSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        value, key, is_complex = super().get_field_value(field, field_name)
        link = field_name == "port" and str(value).startswith(_LINK)
        return (None if link else value), key, is_complex


class Settings(BaseSettings):
    """The service's settings. `load_settings` reads them and explains wrong ones."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    model_dir: Path = Field(RELEASED_MODEL, description="Folder of the model to serve.")
    engine: Literal[
        "auto", "onnxruntime-int8", "onnxruntime-fp32", "openvino-bf16", "openvino-fp32"
    ] = Field("auto", description="Runtime and precision; auto takes the processor's fastest.")
    threads: int = Field(
        0, ge=0, le=1024, description="Threads of the engine; 0 takes as many as the CPU quota."
    )
    max_chars: int = Field(20_000, ge=1, le=1_000_000, description="Characters a text, at most.")
    max_texts: int = Field(256, ge=1, le=10_000, description="Texts a request, at most.")
    max_body_bytes: int = Field(
        4 * 1024 * 1024, ge=1024, le=1024**3, description="Bytes a request's body, at most."
    )
    max_queue_tokens: int = Field(
        131_072, ge=64, le=2**31, description="Tokens that wait for the engine, at most."
    )
    batch_tokens: int = Field(
        1024, ge=16, le=2**24, description="Tokens a batch at most; OpenVINO takes 256 anyway."
    )
    deadline_seconds: float = Field(
        20.0, gt=0, le=3600, description="Seconds within which a request is answered."
    )
    shutdown_delay_seconds: float = Field(
        0.25,
        ge=0,
        le=600,
        description="Seconds of further service after a stop signal, so that balancers notice.",
    )
    shutdown_grace_seconds: float = Field(
        25.0, gt=0, le=3600, description="Seconds in which a stop answers what was accepted."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe messages to log."
    )
    log_format: Literal["text", "json"] = Field("text", description="Form of the log lines.")
    trace_endpoint: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="Where OpenTelemetry traces go, http://HOST:4318/v1/traces; empty: nowhere.",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.max_body_bytes < 4 * self.max_chars + 64:
            raise ValueError(
                "DANSHI_MAX_BODY_BYTES must leave room for one text of DANSHI_MAX_CHARS: "
                f"at least {4 * self.max_chars + 64}, not {self.max_body_bytes}."
            )
        if self.max_queue_tokens < 2 * self.max_chars:
            raise ValueError(
                "DANSHI_MAX_QUEUE_TOKENS must leave room for one text of DANSHI_MAX_CHARS: "
                f"at least {2 * self.max_chars}, not {self.max_queue_tokens}."
            )
        if self.shutdown_grace_seconds < self.deadline_seconds:
            raise ValueError(
                "DANSHI_SHUTDOWN_GRACE_SECONDS must not be below DANSHI_DEADLINE_SECONDS: "
                f"at least {self.deadline_seconds:g}, not {self.shutdown_grace_seconds:g}."
            )
        if self.trace_endpoint and not _is_installed("opentelemetry-exporter-otlp-proto-http"):
            raise ValueError(
                "DANSHI_TRACE_ENDPOINT needs OpenTelemetry, which is not here: "
                "pip install 'danshi[trace]'."
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the environment."""
        return init_settings, _Environment(settings_cls)

    def limits(self) -> dict[str, int]:
        """What a request may hold, as `GET /v1/model` reports it."""
        return {
            "max_chars": self.max_chars,
            "max_texts": self.max_texts,
            "max_body_bytes": self.max_body_bytes,
            "max_tokens": self.max_queue_tokens,
        }


def load_settings(**given: object) -> Settings:
    """Read the settings: `given` first, then the environment, then the defaults.

    Raises:
        SettingsError: values are wrong; one sentence a value.
    """
    try:
        # pydantic checks the types; that is what the call is for.
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        sentences = [_sentence(problem) for problem in error.errors()]
        raise SettingsError("\n".join(sentences)) from None


def unknown_variables(environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A sentence for each `DANSHI_` variable that sets nothing."""
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(environment):
        prefix, rest = name.upper()[: len(PREFIX)], name.upper()[len(PREFIX) :]
        if prefix != PREFIX or _LINKS.fullmatch(rest):
            continue
        if rest == "PORT" and environment[name].startswith(_LINK):
            yield (
                f"{name} is {environment[name]}, which Kubernetes sets for a Service of this name; "
                "that is no port, and is taken as unset."
            )
        elif rest not in known:
            close = get_close_matches(rest, known, n=1)
            hint = f"; did you mean {PREFIX}{close[0]}?" if close else "."
            yield f"{name} is not a setting and changes nothing{hint}"


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def _sentence(problem: Mapping[str, Any]) -> str:
    if not problem["loc"]:  # from _fit_together, already a sentence
        return str(problem["ctx"]["error"])
    name = str(problem["loc"][0])
    option = "--" + name.replace("_", "-")
    if name not in Settings.model_fields:
        return f"{name} is not a setting."
    needed = _requirement(name)
    return f"{PREFIX}{name.upper()} ({option}) must be {needed}, not {problem['input']!r}."


def _requirement(name: str) -> str:
    schema = Settings.model_json_schema()["properties"][name]
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    kind = {"integer": "a whole number", "number": "a number"}.get(schema["type"])
    if "pattern" in schema:
        return "an address that begins with http:// or https://"
    if kind is None:
        return "a path" if schema.get("format") == "path" else "a text that is not empty"
    least = f"above {schema['exclusiveMinimum']:g}" if "exclusiveMinimum" in schema else None
    return f"{kind} {least or 'from ' + str(schema['minimum'])} to {schema['maximum']}"

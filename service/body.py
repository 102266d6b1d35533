"""From bytes to texts: read the body within its limit, parse it, check its shape."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from service.errors import (
    BodyTimeout,
    BodyTooLarge,
    ClientGone,
    FieldError,
    InvalidHeader,
    InvalidJSON,
    InvalidRequest,
    InvalidUTF8,
    UnsupportedMediaType,
)
from service.schemas import ClassifyRequest

JSON, JSON_LINES = "application/json", "application/x-ndjson"
_CHARSETS = {"utf-8", "utf8", "us-ascii"}
# Digits of a Content-Length; more than any length needs, and few enough to be a number.
_LENGTH_DIGITS = 20

# How much of a caller's own field name an error repeats, and how many wrong fields it names.
_NAME_CHARACTERS = 40
_MOST_ERRORS = 20


def check_media_type(request: Request, *, lines: bool = False) -> str:
    """JSON, or JSON_LINES where `lines` are taken: what the body is, plain and in UTF-8.

    Raises:
        UnsupportedMediaType: another type, charset or encoding.
    """
    given = request.headers.get("content-type", "")
    kind = given
    if given != JSON:  # the usual case needs no parser
        # Not email's parser, which fails on some headers and takes seconds for others.
        kind, *parameters = (part.strip().lower() for part in given.split(";"))
        if kind != JSON and not (lines and kind == JSON_LINES):
            other = f", or {JSON_LINES} for a stream of lines" if lines else ""
            raise UnsupportedMediaType(f"The header Content-Type must be {JSON}{other}.")
        for name, _, value in (parameter.partition("=") for parameter in parameters):
            # `charset*` and `charset*0` are names of it too, in RFC 2231.
            named = name.partition("*")[0].rstrip() == "charset"
            if named and value.strip(' \t"') not in _CHARSETS:
                raise UnsupportedMediaType("The body's charset must be UTF-8.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("The body must not be compressed.")
    return kind


async def read_body(request: Request, *, limit: int, seconds: float) -> bytes:
    """The whole body, as long as it keeps to `limit` bytes and `seconds`.

    Raises:
        InvalidHeader, BodyTooLarge, BodyTimeout, ClientGone
    """
    too_large = BodyTooLarge(
        f"The body is larger than {limit} bytes.",
        errors=[FieldError("body", f"must not be larger than {limit} bytes", limit)],
    )
    declared = request.headers.get("content-length", "")
    if len(declared) > _LENGTH_DIGITS:
        raise InvalidHeader
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            # Counted while it arrives: a chunked body does not declare its length.
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise too_large
                chunks.append(chunk)
    except ClientDisconnect:
        raise ClientGone from None
    except TimeoutError:
        raise BodyTimeout(f"The body did not arrive within {seconds:g} seconds.") from None
    return b"".join(chunks)


async def disconnected(request: Request) -> None:
    """Return when the client has hung up. The body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def parse_json(body: bytes) -> Any:
    """The value that `body` encodes.

    Raises:
        InvalidUTF8, InvalidJSON
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidUTF8(f"The body is not valid UTF-8: byte {error.start + 1}.") from None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        # Not the parser's own message, which may quote the body.
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidJSON(f"The body is not valid JSON: {place}.") from None
    except RecursionError:
        raise InvalidJSON("The body is not valid JSON: nested too deeply.") from None
    except ValueError:  # NaN and the like, or a number of thousands of digits
        raise InvalidJSON("The body is not valid JSON: a number in it is none.") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def parse_request(body: bytes, *, max_texts: int) -> ClassifyRequest:
    """The request in `body`. Its single texts are checked later, each for itself.

    Raises:
        InvalidUTF8, InvalidJSON, InvalidRequest
    """
    value = parse_json(body)
    if not isinstance(value, dict):
        _refuse([FieldError("body", "must be a JSON object", given=json_type(value))])
    try:
        request = ClassifyRequest.model_validate(without_most_unknown(value, ClassifyRequest))
    except ValidationError as error:
        problems = error.errors(include_url=False)[:_MOST_ERRORS]
        _refuse([_field_error(problem) for problem in problems])
    if "texts" in request.model_fields_set and not 1 <= len(request.texts) <= max_texts:
        detail = f"must hold 1 to {max_texts} texts"
        _refuse([FieldError("texts", detail, max_texts, len(request.texts))])
    return request


def without_most_unknown(value: Mapping[str, Any], kind: type[BaseModel]) -> dict[str, Any]:
    """`value` with the fields of `kind`, and as many others as an error names.

    A body has room for half a million names, and each would be an error to build.
    """
    fields = kind.model_fields
    unknown = islice((name for name in value if name not in fields), _MOST_ERRORS)
    return {name: value[name] for name in (*(name for name in fields if name in value), *unknown)}


def _refuse(errors: Sequence[FieldError]) -> NoReturn:
    sentence = "; ".join(f"{error.field} {error.detail}" for error in errors[:3])
    raise InvalidRequest(f"The request is not valid: {sentence}.", errors=errors)


def _field_error(problem: Any) -> FieldError:
    if not problem["loc"]:
        both = bool(problem["input"])
        detail = "must hold either text or texts" + (", not both" if both else "")
        return FieldError("body", detail)
    name = str(problem["loc"][0])
    given = json_type(problem["input"])
    match problem["type"]:
        case "extra_forbidden":
            # The comparison reads the whole name, which may be as long as the body.
            short = name[:_NAME_CHARACTERS]
            close = get_close_matches(short, ClassifyRequest.model_fields, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            return FieldError(_shown(name), f"is not a field of the request{hint}")
        case "string_type":
            return FieldError(name, "must be a string", given=given)
        case "string_unicode":
            return FieldError(name, "must be valid Unicode, without lone surrogates")
        case _:
            return FieldError(name, "must be an array of strings", given=given)


def _shown(name: str) -> str:
    """A field name of the caller's, safe to print and not long."""
    clean = "".join(c if c.isprintable() else "?" for c in name[:_NAME_CHARACTERS])
    return clean + "…" * (len(name) > _NAME_CHARACTERS)


def json_type(value: object) -> str:
    """The name of a value's type, in JSON's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"

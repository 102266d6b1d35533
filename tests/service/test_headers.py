"""Headers that no client sends by accident are refused, quickly, and without a traceback."""

import socket
import time

import pytest
from starlette.requests import Request

from service.body import check_media_type
from tests.service.support import RunningApp


def ask(app: RunningApp, *headers: str) -> bytes:
    """The answer to a request with exactly these headers and one text."""
    body = '{"text": "很好"}'.encode()
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as raw:
        head = "\r\n".join(["POST /v1/classify HTTP/1.1", "Host: x", *headers, "", ""])
        raw.sendall(head.encode() + body)
        return raw.recv(4096)


def test_plain_headers_are_answered(app: RunningApp) -> None:
    answer = ask(app, "Content-Type: application/json", "Content-Length: 018")
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "parameters",
    [
        "charset*=a; charset*0=b",
        f"charset*{'9' * 5000}=a",
        "charset*=x\u00e9''utf-8",
        "charset*0=gbk",
        "charset",
        'charset="',
        "charset=utf-8; charset=gbk",
    ],
    ids=lambda given: given[:24],
)
def test_a_charset_that_cannot_be_read_as_utf_8_is_415(
    app: RunningApp, caplog: pytest.LogCaptureFixture, parameters: str
) -> None:
    answer = ask(app, f"Content-Type: application/json; {parameters}", "Content-Length: 18")
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("parameters", ["; charset = utf-8", ";;", '; x="y"; charset*0=utf-8', ";"])
def test_other_parameters_mean_nothing(app: RunningApp, parameters: str) -> None:
    answer = ask(app, f"Content-Type: application/json{parameters}", "Content-Length: 18")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_content_type_of_very_many_parameters_is_read_at_once() -> None:
    header = (b"content-type", b"application/json" + b";" * 200_000)
    begin = time.thread_time()
    assert check_media_type(Request({"type": "http", "headers": [header]})) == "application/json"
    # To look at the rest again for each took over a second.
    assert time.thread_time() - begin < 0.5


@pytest.mark.parametrize("zeros", [30, 5000])
def test_a_length_of_very_many_digits_is_400(
    app: RunningApp, caplog: pytest.LogCaptureFixture, zeros: int
) -> None:
    answer = ask(app, "Content-Type: application/json", f"Content-Length: {'0' * zeros}18")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"urn:problem-type:danshi:invalid-header" in answer
    assert not [record for record in caplog.records if record.exc_info]

"""What can go wrong in a request, as RFC 9457 problems.

Each error owns its HTTP status, its type and its metric label. A detail is a
sentence for the caller and never repeats the text that was sent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from pydantic_core import to_json
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: what it must be (`limit`) and what came (`given`)."""

    field: str
    detail: str
    limit: int | None = None
    given: int | str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The entry of `errors[]`, without what does not apply."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class Problem(Exception):
    """An error with an answer. Subclasses say which; `detail` says what in this case."""

    status: ClassVar[int]
    slug: ClassVar[str]
    title: ClassVar[str]
    example: ClassVar[str]

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        self.detail = detail or self.example
        self.errors = tuple(errors)
        self.headers = headers or {}
        super().__init__(self.detail)

    @classmethod
    def type_uri(cls) -> str:
        """The problem's identity. A URN: there is no page that it could promise."""
        return f"urn:problem-type:danshi:{cls.slug}"

    @classmethod
    def label(cls) -> str:
        """The value of the metric label `reason`."""
        return cls.slug.replace("-", "_")

    def as_dict(self) -> dict[str, Any]:
        """The problem as one item among others: type, title, status, detail."""
        return {
            "type": self.type_uri(),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }

    def response(self) -> Response:
        """The problem as a whole answer."""
        body = self.as_dict()
        if self.errors:
            body["errors"] = [error.as_dict() for error in self.errors]
        return Response(to_json(body), self.status, self.headers, MEDIA_TYPE)


class InvalidJSON(Problem):
    status, slug, title = 400, "invalid-json", "The body is not JSON"
    example = "The body is not valid JSON: line 1, column 9."


class InvalidUTF8(Problem):
    status, slug, title = 400, "invalid-utf-8", "The body is not UTF-8"
    example = "The body is not valid UTF-8: byte 10."


class InvalidHeader(Problem):
    status, slug, title = 400, "invalid-header", "A header is not valid"
    example = "The header Content-Length is not a number of bytes."


class NotFound(Problem):
    status, slug, title = 404, "not-found", "No such path"
    example = "There is nothing at this path; /docs lists what there is."


class MethodNotAllowed(Problem):
    status, slug, title = 405, "method-not-allowed", "Wrong method for this path"
    example = "This path does not take this method; the header Allow names those it takes."


class BodyTimeout(Problem):
    status, slug, title = 408, "body-timeout", "The body did not arrive in time"
    example = "The body did not arrive within 20 seconds."


class BodyTooLarge(Problem):
    status, slug, title = 413, "body-too-large", "The body is too large"
    example = "The body is larger than 4194304 bytes."


class UnsupportedMediaType(Problem):
    status, slug, title = 415, "unsupported-media-type", "The body must be JSON in UTF-8"
    example = "The header Content-Type must be application/json, or application/x-ndjson, in UTF-8."


class InvalidRequest(Problem):
    status, slug, title = 422, "invalid-request", "The request is not valid"
    example = "Give either text or texts."


class InvalidText(Problem):
    status, slug, title = 422, "invalid-text", "The text cannot be classified"
    example = "The text is blank."


class QueueFull(Problem):
    """Refused early, while waiting would still be cheaper than answering late."""

    status, slug, title = 429, "queue-full", "Too many requests are waiting"
    example = "The queue is full; try again in 2 seconds."

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"The queue is full; try again in {seconds} second{'s' * (seconds != 1)}.",
            headers={"Retry-After": str(seconds)},
        )


class InternalError(Problem):
    """Says nothing of the cause: that is in the log, under the request's id."""

    status, slug, title = 500, "internal-error", "The service failed"
    example = "The service failed to answer; its log tells why, by the X-Request-ID."


class Unavailable(Problem):
    """The base of every 503; the same request may be answered later or elsewhere."""

    status = 503

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class NotReady(Unavailable):
    slug, title = "not-ready", "The service is not ready"
    example = "The model is being loaded."


class Stopping(Unavailable):
    slug, title = "stopping", "The service is stopping"
    example = "The service is stopping."


class WorkerDead(Unavailable):
    slug, title = "worker-dead", "The service cannot classify"
    example = "The worker that runs the engine has died."


class DeadlineExceeded(Unavailable):
    slug, title = "deadline-exceeded", "The answer would come too late"
    example = "The request could not be answered before its deadline."


class ClientGone(Exception):
    """The client hung up: there is nobody to answer."""

    # nginx's code; it is counted and never sent.
    status = 499


def problem_types(base: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Every error that can be answered, ordered by status."""
    found = [kind for kind in _descendants(base) if "slug" in vars(kind)]
    return iter(sorted(found, key=lambda kind: kind.status))


def _descendants(kind: type[Problem]) -> Iterator[type[Problem]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)

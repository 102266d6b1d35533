"""The outermost layer: request id, one count and one log line a request, errors to answers."""

import logging
import re
import uuid
from collections.abc import Container, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import ClientGone, InternalError, Problem
from service.metrics import OTHER, PAGE, Metrics
from service.record import Record
from service.tracing import Traces

logger = logging.getLogger(__name__)

REQUEST_ID = "X-Request-ID"
_REQUEST_ID = REQUEST_ID.lower().encode()
# In the scope of a route whose clients read errors in another shape: Problem → Response.
ERROR_SHAPE = "danshi.error_shape"
# What comes from outside goes into logs and headers: bounded, and no spaces or line ends.
_GOOD_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


class Access:
    """ASGI middleware. A request is counted here and nowhere else, however it ends."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        routes: Container[str],
        quiet: Container[str],
        direct: Mapping[tuple[str, str], ASGIApp],
        traces: Traces | None = None,
    ) -> None:
        """Wrap `app`.

        Args:
            direct: by method and path, what answers in the place of `app`: the very function
                that its route calls, without the third of a millisecond to find the route.
            routes: the paths that are label values; every other one is `other`,
                or each scan for weaknesses would add series.
            quiet: paths asked by machines every few seconds; logged as debug, in no trace.
            traces: where each request is told, if anywhere.
        """
        self._app = app
        self._metrics = metrics
        self._routes = routes
        self._quiet = quiet
        self._traces = traces
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = Record(self._metrics, request_id(scope))
        record.activate()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (_REQUEST_ID, record.id.encode("latin-1")),
                ]
            await send(message)

        try:
            app = self._direct.get((scope["method"], scope["path"]), self._app)
            await app(scope, receive, send_with_id)
        except ClientGone as gone:
            status = gone.status
        except Exception as error:
            problem = _explain(error, record)
            if status:  # a stream that broke under way: 200 was sent, and is not what came of it
                status = problem.status
            else:
                shape = scope.get(ERROR_SHAPE, Problem.response)
                await shape(problem)(scope, receive, send_with_id)
        finally:
            # Cut off by the stop, before it could answer: as good as gone.
            self._end(scope, record, status or ClientGone.status)

    def _end(self, scope: Scope, record: Record, status: int) -> None:
        # The route's own path, as written: one series for all files of the page.
        path = getattr(scope.get("route"), "path", None)
        if (scope["method"], scope["path"]) in self._direct:
            path = scope["path"]
        route = str(path) if path in self._routes else OTHER
        # POST / answers texts; with any other method the path is the page's.
        page = route == "/" and scope["method"] != "POST"
        seconds = record.end(PAGE if page else route, status)
        if self._traces is not None and route not in self._quiet:
            self._traces.tell(record, scope, route, status)
        level = logging.DEBUG if route in self._quiet and status < 400 else logging.INFO
        if logger.isEnabledFor(level):
            fields = {
                "id": record.id,
                "method": scope["method"],
                "route": route,
                "code": status,
                "ms": round(seconds * 1000, 2),
                **record.fields(),
            }
            logger.log(
                level,
                "%(method)s %(route)s %(code)s %(ms)s ms, %(id)s",
                fields,
                extra={"fields": fields},
            )


def _explain(error: Exception, record: Record) -> Problem:
    if isinstance(error, Problem):
        problem = error
    else:
        logger.error(
            "request %s failed", record.id, exc_info=error, extra={"fields": {"id": record.id}}
        )
        problem = InternalError()
    record.refused(problem)
    return problem


def request_id(scope: Scope) -> str:
    """The caller's X-Request-ID if it is one, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if _GOOD_ID.fullmatch(given):
                return str(given)
    return uuid.uuid4().hex

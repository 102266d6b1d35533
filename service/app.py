"""The application: routes by the contract, and what they share."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, PlainTextResponse, Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from models import Classifier, Result
from service import openapi, schemas
from service.access import Access
from service.body import JSON_LINES, check_media_type, disconnected, parse_request, read_body
from service.compat import MODELS, PATHS, add_compat
from service.errors import (
    InternalError,
    MethodNotAllowed,
    NotFound,
    NotReady,
    Problem,
    Stopping,
    WorkerDead,
)
from service.lines import LineStream
from service.metrics import Metrics
from service.page import add_page
from service.pipeline import Pipeline
from service.record import current
from service.settings import Settings
from service.tracing import Traces

logger = logging.getLogger(__name__)

CLASSIFY = "/v1/classify"
QUIET = {"/health/live", "/health/ready", "/metrics"}
DOCS_PAGE = Path(__file__).parent / "web" / "docs.html"


class Service:
    """What the routes share: the settings, the metrics, and the model once it is loaded."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.classifier: Classifier | None = None
        self.model_name: dict[str, str] = {}
        self.pipeline: Pipeline | None = None
        endpoint = settings.trace_endpoint
        self.traces = Traces(endpoint, distribution_version()) if endpoint else None
        self.stopping = False

    def load(self) -> None:
        """Load the model and put the golden texts through its engine.

        Raises:
            ArtifactError: it is damaged, or does not compute what was released.
        """
        settings = self.settings
        classifier = Classifier.load(
            settings.model_dir, engine=settings.engine, threads=settings.threads
        )
        classifier.check_golden()
        # The first text with a connective makes jieba read its dictionary: now, not then.
        classifier.classify(schemas.EXAMPLE_TEXT)
        self.use(classifier)

    def use(self, classifier: Classifier) -> None:
        """Serve with `classifier`."""
        self.classifier = classifier
        manifest, engine = classifier.manifest, classifier.engine
        self.model_name = {"name": manifest.name, "version": manifest.version}
        self.metrics.serve(manifest, engine)
        if not manifest.reference:
            logger.warning("the model's manifest has no reference: its drift cannot be seen")

    def start(self) -> None:
        """Begin to serve; load first if that was not done."""
        if self.classifier is None:
            self.load()
        assert self.classifier is not None
        self.pipeline = Pipeline(self.classifier, self.settings, self.metrics)

    def stop(self) -> None:
        """Answer what was accepted and end. Blocks until then."""
        self.stopping = True
        if self.pipeline is not None:
            self.pipeline.close()
        if self.traces is not None:
            self.traces.close()

    def ready(self) -> Pipeline:
        """The pipeline, if it can classify; else raises the reason why not."""
        if self.pipeline is None:
            raise NotReady
        self.pipeline.check_alive()
        return self.pipeline


def create_app(settings: Settings) -> FastAPI:
    """The application; its lifespan loads the model, if `app.state.service` has none yet."""
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await asyncio.to_thread(service.stop)

    app = FastAPI(
        title="Danshi",
        summary="Chinese sentiment with the turn in it.",
        description="Label, polarity and clauses of Chinese texts.",
        version=distribution_version(),
        lifespan=lifespan,
        docs_url=None,  # its page would come from a CDN; ours works without a network
        redoc_url=None,
        redirect_slashes=False,
        # Generated clients name their functions by it.
        generate_unique_id_function=lambda route: route.name,
        exception_handlers={HTTPException: _explain_routing},
    )
    app.state.service = service
    _add_routes(app, service)
    add_page(app)
    add_compat(app, service)
    openapi.complete_openapi(app, MODELS)
    routes = {path for route in app.routes if (path := getattr(route, "path", None))}
    service.metrics.create_routes(sorted(routes), (CLASSIFY, *PATHS))
    app.add_middleware(
        Access,
        metrics=service.metrics,
        routes=routes,
        quiet=QUIET,
        direct={("POST", CLASSIFY): _direct(service)},
        traces=service.traces,
    )
    return app


def _add_routes(app: FastAPI, service: Service) -> None:
    settings = service.settings

    @app.post(
        CLASSIFY,
        summary="Classify one text, or several",
        tags=["classify"],
        openapi_extra={"requestBody": openapi.classify_request()},
        responses=openapi.classify_answers(),
    )
    async def classify(request: Request) -> Response:
        """Give `text`, or `texts`. Offsets in the answer are code points of the text as sent.

        With `application/x-ndjson` each line is an object with `text` (its other
        keys are ignored) or a string, and is answered by a line: a result, or
        `{"error": …}`. Lines are answered in order while the body is still being
        sent, of any length; so read the answers while you send. Empty lines
        are skipped.
        """
        return await classify_request(service, request)

    @app.get(
        "/v1/model",
        summary="The model that serves, the limits, the engine",
        tags=["model"],
        responses={
            200: openapi.json_answer("The manifest.", openapi.ref(schemas.ModelInfo)),
            **openapi.problem_answers(NotReady, InternalError),
        },
    )
    async def model() -> Response:
        """The manifest of the released model, with the service's limits and its engine."""
        if service.classifier is None:
            raise NotReady
        engine = service.classifier.engine
        return _json(
            {
                **service.classifier.manifest.as_dict(),
                "limits": settings.limits(),
                "engine": {
                    "name": engine.name,
                    "precision": engine.precision,
                    "threads": engine.threads,
                },
            }
        )

    @app.get(
        "/health/live",
        summary="Whether the process works at all",
        tags=["health"],
        responses=openapi.health_answers(WorkerDead),
    )
    async def live() -> Response:
        """Fails when only a restart helps."""
        if service.pipeline is not None:
            service.pipeline.check_alive()
        return _json({"status": "ok"})

    @app.get(
        "/health/ready",
        summary="Whether requests are answered",
        tags=["health"],
        responses=openapi.health_answers(NotReady, Stopping, WorkerDead),
    )
    async def ready() -> Response:
        """Succeeds once golden texts went through the real engine, until the service stops."""
        if service.stopping:
            raise Stopping
        service.ready()
        return _json({"status": "ok"})

    @app.get(
        "/metrics",
        summary="Metrics in the Prometheus exposition format",
        tags=["operation"],
        response_class=PlainTextResponse,
    )
    async def metrics(request: Request) -> Response:
        """Counts and timings since the start."""
        content, media_type = service.metrics.render(request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": media_type})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return FileResponse(DOCS_PAGE, media_type="text/html; charset=utf-8")


async def classify_request(service: Service, request: Request) -> Response:
    """The answer to a request of CLASSIFY.

    Raises:
        Problem: it cannot be answered.
        ClientGone: nobody waits for the answer any more.
    """
    settings = service.settings
    pipeline = service.ready()
    deadline = asyncio.get_running_loop().time() + settings.deadline_seconds
    if check_media_type(request, lines=True) == JSON_LINES:
        return LineStream(
            request,
            pipeline,
            answer=_answer,
            line_bytes=settings.max_body_bytes,
            # A byte is a token at most, so that all groups under way fit the queue.
            group_bytes=settings.max_queue_tokens // 8,
            seconds=settings.deadline_seconds,
            stopping=lambda: service.stopping,
        )
    body = await read_body(
        request, limit=settings.max_body_bytes, seconds=settings.deadline_seconds
    )
    asked = parse_request(body, max_texts=settings.max_texts)
    single = "text" in asked.model_fields_set
    current(service.metrics).form = "text" if single else "texts"
    results = await pipeline.classify(
        [asked.text] if single else asked.texts,
        field="text" if single else "texts",
        deadline=deadline,
        hung_up=lambda: disconnected(request),
    )
    if single and isinstance(results[0], Problem):
        raise results[0]
    answers = [_answer(result) for result in results]
    return _json(answers[0] if single else {"results": answers})


def _direct(service: Service) -> ASGIApp:
    """CLASSIFY without FastAPI, whose route only documents it."""

    async def classify(scope: Scope, receive: Receive, send: Send) -> None:
        response = await classify_request(service, Request(scope, receive))
        await response(scope, receive, send)

    return classify


def _answer(result: Result | Problem) -> dict[str, Any]:
    if isinstance(result, Problem):
        return {"error": result.as_dict()}
    return result.as_dict()


def _json(value: object) -> Response:
    return Response(to_json(value), media_type="application/json")


async def _explain_routing(_: Request, error: Exception) -> NoReturn:
    """Turn the router's own errors into ours; `Access` answers them."""
    status = getattr(error, "status_code", 500)
    if status == NotFound.status:
        raise NotFound from None
    if status == MethodNotAllowed.status:
        raise MethodNotAllowed(headers=dict(getattr(error, "headers", None) or {})) from None
    raise InternalError from error


def distribution_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("danshi")
    except PackageNotFoundError:  # a checkout that was never installed
        return "unknown"

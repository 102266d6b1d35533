"""One process, one server: bind, load, serve, and stop without losing an answer."""

import asyncio
import errno
import logging
import signal
import socket
import sys
from types import FrameType

import uvicorn

from service.app import Service, create_app
from service.logs import configure_logging
from service.settings import Settings, unknown_variables

logger = logging.getLogger(__name__)

_BACKLOG = 2048
# Python's own 5 ms is as long as a pass: an engine thread that has an answer, or needs the
# next batch, would wait so long for a busy event loop.
_SWITCH_SECONDS = 0.0005


class StartError(RuntimeError):
    """The server cannot start; the message is one sentence."""


class GracefulServer(uvicorn.Server):
    """uvicorn, but not ready from the signal on, and still serving for a moment.

    Requests that are on their way when the signal comes reach a server that
    answers them; `/health/ready` tells balancers to send no more.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop. A second Ctrl-C stops at once.

        Unlike uvicorn's own, this does not raise the signal again at the end:
        a stop that was asked for and went well is no failure.
        """
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
        self._service.stopping = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on for the delay, then answer what was accepted."""
        logger.info("stopping")
        remaining = self._service.settings.shutdown_delay_seconds
        while remaining > 0 and not self.force_exit:
            await asyncio.sleep(min(remaining, 0.1))
            remaining -= 0.1
        await super().shutdown(sockets)


def serve(settings: Settings) -> None:
    """Serve until a signal ends it.

    Raises:
        StartError: the address cannot be had.
        ArtifactError: the model cannot be served.
    """
    configure_logging(settings.log_level, settings.log_format)
    sys.setswitchinterval(_SWITCH_SECONDS)
    for sentence in unknown_variables():
        logger.warning(sentence)
    # First the port, which fails at once. Who comes while the model loads waits in the backlog.
    with bind(settings.host, settings.port) as listener:
        app = create_app(settings)
        service: Service = app.state.service
        service.load()
        config = uvicorn.Config(
            app,
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=max(1, round(settings.shutdown_grace_seconds)),
        )
        host, port = listener.getsockname()[:2]
        assert service.classifier is not None
        logger.info(
            "serving %s %s on http://%s:%d with %s",
            *service.model_name.values(),
            f"[{host}]" if ":" in host else host,
            port,
            service.classifier.engine_name,
        )
        GracefulServer(config, service).run(sockets=[listener])
        logger.info("stopped")


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens on the address."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise StartError(f"{host!r} is not an address of this machine.") from None
    listener = socket.socket(family, kind, protocol)
    try:
        # After a restart, the port may still linger from the last run's connections.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(_bind_sentence(host, port, error)) from None
    return listener


def _bind_sentence(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} on {host} is in use; choose another with --port."
        case errno.EACCES:
            return f"Port {port} needs more rights than this user has; choose one above 1023."
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine."
        case _:
            return f"Cannot listen on {host} port {port}: {error.strerror}."

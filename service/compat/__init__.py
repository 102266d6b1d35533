"""The routes that other servers' clients ask: unchanged, they get our labels.

A file each server. They tell the label only; clauses and polarity are in `/v1/classify`.
"""

from typing import TYPE_CHECKING

from fastapi import FastAPI

from service.compat import huggingface, shared, tei

if TYPE_CHECKING:
    from service.app import Service

# What /openapi.json must define.
MODELS = (*shared.MODELS, *tei.MODELS, *huggingface.MODELS)
# Where texts are answered.
PATHS = (tei.PATH, huggingface.PATH)


def add_compat(app: FastAPI, service: "Service") -> None:
    """Add the routes to `app`."""
    tei.add_routes(app, service)
    huggingface.add_routes(app, service)

"""`GET /metrics`: what this process has counted, as Prometheus reads it."""

from litestar import Response, Router, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from scriza.gateway.access import Bearer, behind


def metrics_route() -> Router:
    """Behind the service token: figures tell a stranger how busy a team is."""

    @get("/metrics", operation_id="metrics", summary="Counts for Prometheus", include_in_schema=False)
    async def metrics() -> Response[bytes]:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return behind(Bearer(), metrics)

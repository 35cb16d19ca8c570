"""What HTTP adds to reports: each as CSV, for who asks for ``text/csv`` or with ``format=csv``."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response, Router

from scriza.kernel.errors import BadInput
from scriza.kernel.operation import operations
from scriza.kernel.table import CSV, attachment, wants_csv
from scriza.modules.memory.reports.table import csv_of
from scriza.ports.reports import Reports

_Request = Request[Any, Any, Any]
_REPORTS = {operation.path: operation for operation in operations(Reports)}


def or_csv(json: Router, reports: Callable[[], Reports]) -> Router:
    """The routes of the port, `json`, which also answer in CSV; `reports` is asked each time."""

    async def answer(request: _Request) -> Response[str] | None:
        if not wants_csv(request.query_params.get("format", ""), request.headers.get("accept", "")):
            return None
        operation = _REPORTS[request.scope["path_template"]]
        assert operation.request is not None
        asked = {name: values[-1] for name, values in request.query_params.dict().items()}
        try:
            query = msgspec.convert(asked, operation.request, strict=False)
        except msgspec.ValidationError as error:
            raise BadInput(f"query: {error}") from None
        report = await getattr(reports(), operation.name)(query)
        return Response(
            csv_of(report),
            media_type=CSV,
            headers=attachment(operation.name),
        )

    return Router(path="/", route_handlers=[json], before_request=answer)

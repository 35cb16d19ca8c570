"""What HTTP adds to usage: an invoice as CSV, for who asks for ``text/csv`` or with ``format=csv``."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response, Router

from scriza.kernel.operation import operations
from scriza.kernel.table import CSV, attachment, csv_rows, wants_csv
from scriza.ports.credit import Invoice, UsageBook

_INVOICE = next(operation.path for operation in operations(UsageBook) if operation.name == "invoice")


class _Line(msgspec.Struct):
    """As `InvoiceLine`; of the total there is no quantity."""

    kind: str
    item: str
    quantity: int | None
    unit: str
    cost_micro_usd: int


def invoices_or_csv(json: Router, usage: Callable[[], UsageBook]) -> Router:
    """The routes of the port, `json`, of which invoices also answer in CSV; `usage` is asked each time."""

    async def answer(request: Request[Any, Any, Any]) -> Response[str] | None:
        if request.scope["path_template"] != _INVOICE:
            return None
        if not wants_csv(request.query_params.get("format", ""), request.headers.get("accept", "")):
            return None
        invoice = await usage().invoice(request.path_params["month"])
        headers = attachment(f"invoice-{invoice.month}")
        return Response(_csv_of(invoice), media_type=CSV, headers=headers)

    return Router(path="/", route_handlers=[json], before_request=answer)


def _csv_of(invoice: Invoice) -> str:
    """A row for each line, and the total as the last one."""
    lines = [_Line(line.kind, line.item, line.quantity, line.unit, line.cost_micro_usd) for line in invoice.lines]
    return csv_rows(_Line, [*lines, _Line("total", "", None, "", invoice.total_micro_usd)])

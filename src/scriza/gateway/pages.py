"""`/` and `/static/*`: the pages that come with Scriza, and what they are made of.

Every file is served under a name that holds a digest of its content, so that browsers may keep it for ever; pages name
their parts as ``{{page.css}}``. All of it is read once: a path that is not one of those names is not found, whatever it
looks like.
"""

import hashlib
import html
import mimetypes
from collections.abc import Mapping
from pathlib import Path

import msgspec
from litestar import Response, Router, get
from litestar.params import FromPath

from scriza.gateway.access import Open, behind
from scriza.gateway.headers import PAGE
from scriza.kernel.errors import NotFound

FOLDER = Path(__file__).parent / "site"

_DIGEST_LENGTH = 12
_FOR_EVER = "public, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True):
    """One file, as it is sent."""

    name: str
    """With its digest: ``page.3f9c0b1a2d4e.css``."""
    body: bytes
    media_type: str


def read_assets(folder: Path = FOLDER) -> dict[str, Asset]:
    """By their own names, all files of a folder but its pages."""
    return {path.name: _asset(path) for path in sorted(folder.iterdir()) if path.suffix != ".html"}


def page(text: str, assets: Mapping[str, Asset], values: Mapping[str, str]) -> str:
    """A page with its parts named and its values filled in, as text."""
    for name, asset in assets.items():
        text = text.replace("{{" + name + "}}", f"/static/{asset.name}")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", html.escape(value))
    return text


def page_routes(values: Mapping[str, str], folder: Path = FOLDER) -> Router:
    """The landing page, which tells `values`, and the static files."""
    assets = read_assets(folder)
    served = {asset.name: asset for asset in assets.values()}
    landing = page((folder / "index.html").read_text(), assets, values)

    @get("/", media_type="text/html", include_in_schema=False, sync_to_thread=False)
    def index() -> Response[str]:
        return Response(landing, headers={"content-security-policy": PAGE, "cache-control": "no-cache"})

    @get("/static/{name:str}", include_in_schema=False, sync_to_thread=False)
    def static(name: FromPath[str]) -> Response[bytes]:
        asset = served.get(name)
        if asset is None:
            raise NotFound("there is no such file")
        return Response(asset.body, media_type=asset.media_type, headers={"cache-control": _FOR_EVER})

    return behind(Open("a landing page"), index, static)


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:_DIGEST_LENGTH]
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(f"{path.stem}.{digest}{path.suffix}", body, media_type)

"""A hub of models on this machine, as far as its client asks: a repository's list of files, and each file."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Literal

from litestar import Litestar, Response, get, head
from litestar.params import FromPath
from litestar.response import Stream

_COMMIT = "a" * 40


class ModelHub:
    """Serves `files` as every repository. With `ill`, `model.bin` is missing, breaks off, or never goes on."""

    def __init__(self, files: dict[str, bytes], ill: Literal["", "missing", "broken", "stalled"] = "") -> None:
        self.files = {name: body for name, body in files.items() if not (ill == "missing" and name == "model.bin")}
        self.ill = ill

    def app(self) -> Litestar:
        """Serve it with `tests.serving.serving`; its URL is the client's ``HF_ENDPOINT``."""

        @get(["/api/models/{owner:str}/{name:str}", "/api/models/{owner:str}/{name:str}/revision/{revision:str}"])
        async def listed(owner: FromPath[str], name: FromPath[str]) -> dict[str, object]:
            siblings = [{"rfilename": file, "size": len(body)} for file, body in self.files.items()]
            return {"id": f"{owner}/{name}", "modelId": f"{owner}/{name}", "sha": _COMMIT, "siblings": siblings}

        @get("/api/models/{owner:str}/{name:str}/tree/{revision:str}")
        async def tree(owner: FromPath[str], name: FromPath[str]) -> list[dict[str, object]]:
            return [{"type": "file", "path": file, "size": len(body), "oid": "0"} for file, body in self.files.items()]

        @head("/{owner:str}/{name:str}/resolve/{revision:str}/{file:str}")
        async def looked_at(file: FromPath[str]) -> Response[None]:
            return Response(None, headers=self._headers(file), status_code=200 if file in self.files else 404)

        @get("/{owner:str}/{name:str}/resolve/{revision:str}/{file:str}")
        async def fetched(file: FromPath[str]) -> Stream:
            return Stream(self._body(file), headers=self._headers(file), media_type="application/octet-stream")

        return Litestar([listed, tree, looked_at, fetched])

    def _headers(self, file: str) -> dict[str, str]:
        body = self.files.get(file, b"")
        etag = hashlib.sha256(body).hexdigest()
        return {"x-repo-commit": _COMMIT, "etag": f'"{etag}"', "content-length": str(len(body))}

    async def _body(self, file: str) -> AsyncIterator[bytes]:
        body = self.files[file]
        if file != "model.bin" or not self.ill:
            yield body
            return
        yield body[: len(body) // 2]
        if self.ill == "stalled":
            await asyncio.sleep(60)
        raise ConnectionResetError

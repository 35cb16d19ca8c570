"""A stand-in for `mongod`: its command line, and of its protocol what it takes to become a replica set of one.

Without ``--replSet`` it is a standalone server, which refuses transactions. With it, it keeps the set's configuration
in its directory and is writable only under the address in that configuration. The codes are those of MongoDB's manual.
"""

import argparse
import json
import signal
import socketserver
import struct
import sys
from pathlib import Path
from typing import cast

import bson

_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013
_NOT_YET_INITIALIZED = {"ok": 0.0, "code": 94, "codeName": "NotYetInitialized", "errmsg": "no replset config"}

Document = dict[str, object]


class Mongod(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, directory: Path, name: str) -> None:
        super().__init__(("127.0.0.1", port), Connection)
        self.host = f"127.0.0.1:{port}"
        self.file = directory / "replset.json"
        self.name = name

    def answer(self, command: Document) -> Document:
        name = next(iter(command)).lower()
        config = json.loads(self.file.read_text()) if self.file.exists() else None
        match name:
            case "hello" | "ismaster":
                known: Document = {"maxWireVersion": 21, "logicalSessionTimeoutMinutes": 30, "ok": 1.0}
                if self.name and (config is None or config["members"][0]["host"] != self.host):
                    return known | {"isWritablePrimary": False, "ismaster": False}
                member: Document = {"setName": self.name, "hosts": [self.host], "me": self.host} if self.name else {}
                return known | member | {"isWritablePrimary": True, "ismaster": True}
            case "find" if not self.name:
                return {"ok": 0.0, "code": 20, "errmsg": "Transaction numbers are only allowed on a replica set"}
            case "replsetgetconfig":
                return {"config": config, "ok": 1.0} if config else _NOT_YET_INITIALIZED
            case "replsetinitiate":
                self.file.write_text(json.dumps(cast("Document", command["replSetInitiate"]) | {"version": 1}))
            case "replsetreconfig":
                new = cast("dict[str, int]", command["replSetReconfig"])
                if not command.get("force") or config is None or new["version"] <= config["version"]:
                    return {"ok": 0.0, "code": 103, "errmsg": "NewReplicaSetConfigurationIncompatible"}
                self.file.write_text(json.dumps(new))
        return {"ok": 1.0}


class Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast("Mongod", self.server)
        while header := self.rfile.read(16):
            length, request, _, operation = struct.unpack("<iiii", header)
            body = self.rfile.read(length - 16)
            if operation == _OP_MSG:
                reply = b"\0\0\0\0\0" + bson.encode(server.answer(bson.decode(body[5:])))
                operation = _OP_MSG
            else:
                query = body[body.index(b"\0", 4) + 9 :]
                reply = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(server.answer(bson.decode(query)))
                operation = _OP_REPLY
            self.wfile.write(struct.pack("<iiii", 16 + len(reply), 1, request, operation) + reply)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--dbpath", type=Path, required=True)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--bind_ip", choices=["127.0.0.1"], required=True)
    options.add_argument("--replSet", default="")
    options.add_argument("--wiredTigerCacheSizeGB", type=float)
    options.add_argument("--slowms", type=int)
    options.add_argument("--setParameter", action="append")
    options.add_argument("--nounixsocket", action="store_true")
    options.add_argument("--quiet", action="store_true")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Mongod(given.port, given.dbpath, given.replSet).serve_forever()


if __name__ == "__main__":
    main()

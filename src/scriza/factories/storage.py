"""Where things are kept."""

from pathlib import Path
from typing import TYPE_CHECKING

from scriza.data_dir import Secrets
from scriza.settings import BadSettings, Settings
from scriza_adapters.mongo.store import StoreOptions
from scriza_adapters.objects_directory import DirectoryObjects
from scriza_adapters.shared_state.memory import MemorySharedState

if TYPE_CHECKING:
    from scriza_adapters.objects_s3.store import S3Objects
    from scriza_adapters.shared_state.redis import RedisSharedState


def store_options(settings: Settings, data_dir: Path) -> StoreOptions:
    """Where the store is."""
    return StoreOptions(data_dir, url=settings.mongo_url.get_secret_value(), database=settings.mongo_database)


def objects(settings: Settings, secrets: Secrets, data_dir: Path) -> "DirectoryObjects | S3Objects":
    """Where clips are kept. The S3 client is imported only where it is used: it takes half a second."""
    if settings.objects_url:
        from scriza_adapters.objects_s3.store import S3Objects

        try:
            return S3Objects(settings.objects_url)
        except ValueError as error:
            raise BadSettings(f"SCRIZA_OBJECTS_URL: {error}") from error
    return DirectoryObjects(data_dir / "objects", url=settings.public_url, key=secrets.objects_key)


def shared_state(settings: Settings) -> "MemorySharedState | RedisSharedState":
    """What processes know together; without a Redis, what this one knows."""
    url = settings.redis_url.get_secret_value()
    if not url:
        return MemorySharedState()
    from scriza_adapters.shared_state.redis import RedisSharedState

    try:
        return RedisSharedState(url)
    except ValueError as error:
        raise BadSettings(f"SCRIZA_REDIS_URL: {error}") from error

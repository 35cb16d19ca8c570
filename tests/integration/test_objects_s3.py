"""How S3 that does not work is told."""

import pytest

from scriza.kernel.errors import Unavailable
from scriza_adapters.objects_s3.store import S3Objects
from tests.serving import listening_socket


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")


async def test_a_store_that_cannot_be_reached_is_unavailable() -> None:
    with listening_socket() as bound:  # bound, but nobody listens
        port = bound.getsockname()[1]
        objects = S3Objects(f"s3://bucket?endpoint=http://127.0.0.1:{port}&region=us-east-1")
        try:
            with pytest.raises(Unavailable) as caught:
                await objects.get("a")
        finally:
            await objects.close()
    assert "very-secret" not in str(caught.value)


async def test_a_client_that_was_never_used_closes() -> None:
    await S3Objects("s3://bucket/prefix").close()


@pytest.mark.parametrize("url", ["", "https://bucket", "s3://", "s3:///prefix", "s3://bucket?endpiont=http://x"])
def test_a_url_that_is_not_one_of_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="s3://BUCKET"):
        S3Objects(url)

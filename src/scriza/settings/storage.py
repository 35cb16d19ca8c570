"""Store, objects and shared state."""

from pydantic import BaseModel, Field, SecretStr


class Storage(BaseModel):
    """Store, objects and shared state."""

    mongo_url: SecretStr = Field(
        SecretStr(""), description="A MongoDB replica set; empty starts an embedded store in the data directory."
    )
    mongo_database: str = Field("scriza", pattern=r"^[A-Za-z0-9_-]{1,38}$", description="The database's name.")
    objects_url: str = Field(
        "", description="An S3 bucket, `s3://BUCKET/PREFIX?endpoint=URL&region=R`; empty is the data directory."
    )
    redis_url: SecretStr = Field(
        SecretStr(""),
        description="What processes know together, `redis://[USER:PASSWORD@]HOST:PORT/DB`: replies kept for their "
        "`Idempotency-Key`, and answers of the language model. Empty: each process knows its own.",
    )

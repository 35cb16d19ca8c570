"""Objects in an S3 bucket, or in a server that speaks S3, by aiobotocore."""

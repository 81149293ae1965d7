"""What is managed inside a Component, one module for each provider (s3 and minio share one)."""

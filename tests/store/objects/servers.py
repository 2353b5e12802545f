"""Object stores on this machine: one that speaks S3, and one that speaks Google Cloud Storage."""

import logging
import uuid
from contextlib import contextmanager

import httpx

KEYS = {"AWS_ACCESS_KEY_ID": "NOBODY-7Q", "AWS_SECRET_ACCESS_KEY": "nothing-9Kz"}
# What a person's own surroundings might say.
OTHERS = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_PROFILE", "FSSPEC_S3", "FSSPEC_GS")


@contextmanager
def s3_server():
    """A server of S3; yields the environment that leads to it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield {
            **KEYS,
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        server.stop()


class Bucket:
    """A new bucket of a server of S3, filled by hand.

    Args:
        environment: What `s3_server` yielded.
    """

    def __init__(self, environment):
        import boto3

        self.client = boto3.client(
            "s3",
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            region_name=environment["AWS_REGION"],
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )
        self.name = f"screen-{uuid.uuid4().hex[:8]}"
        self.client.create_bucket(Bucket=self.name)

    def put(self, key, content):
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def remove(self, key):
        self.client.delete_object(Bucket=self.name, Key=key)

    def upload(self, folder, prefix):
        """All files below a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())


@contextmanager
def gs_server(bucket):
    """A server of Google Cloud Storage with one bucket; yields its address."""
    from gcp_storage_emulator.server import create_server

    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket=bucket)
    server.start()
    try:
        yield f"http://127.0.0.1:{server._api._httpd.server_address[1]}"
    finally:
        server.stop()


def put_gs(server, bucket, name, content):
    place = f"{server}/upload/storage/v1/b/{bucket}/o"
    words = {"uploadType": "media", "name": name}
    httpx.post(place, params=words, content=content).raise_for_status()


def remove_gs(server, bucket, name):
    place = f"{server}/storage/v1/b/{bucket}/o/{name.replace('/', '%2F')}"
    httpx.delete(place).raise_for_status()

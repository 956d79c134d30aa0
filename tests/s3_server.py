"""An S3 server for tests: moto's, over HTTP, in a process of its own that ends with the tests."""

import contextlib
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

_SERVE = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
sys.stdin.read()  # until whoever started it has gone
"""

BUCKET = "archive"


@dataclass(frozen=True)
class S3Server:
    """Where the server listens, and the bucket that is there from the beginning."""

    endpoint: str
    bucket: str = BUCKET
    key: str = "testing"
    secret: str = "testing-secret"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to work with this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def fresh(self, name: str = "out") -> str:
        """A URI below which there is nothing yet."""
        return f"s3://{self.bucket}/{uuid.uuid4().hex[:8]}/{name}"

    def through(self, endpoint: str) -> "S3Server":
        """The same server as reached by another way, such as a proxy."""
        return replace(self, endpoint=endpoint)

    def file_system(self):
        """The server's files past every proxy and every cache, for a test to look or put things there."""
        import s3fs

        return s3fs.S3FileSystem(
            key=self.key,
            secret=self.secret,
            endpoint_url=self.endpoint,
            use_listings_cache=False,
            skip_instance_cache=True,
        )


@contextlib.contextmanager
def serve_s3() -> Iterator[S3Server]:
    """A running server with an empty bucket."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        server = S3Server(process.stdout.readline().strip())
        server.file_system().mkdir(server.bucket)
        yield server
    finally:
        process.kill()
        process.communicate()


def forget_connections() -> None:
    """Make fsspec connect anew, as a process with another environment would."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()

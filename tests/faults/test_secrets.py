"""With credentials in the environment, in URIs and in the configuration, no file, no line and no table has one."""

import contextlib
import functools
import http.server
import json
import re
import threading
import time

import pytest

from tests.faults.scenes import Scene, copy_recordings, sample, wait_until

pytestmark = pytest.mark.slow

SECRET = "s3cr3tWJALRxUtnFEMI"
SIGNATURE = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA&X-Amz-Expires=60&X-Amz-Signature={SECRET}"


@contextlib.contextmanager
def web_server(folder):
    """Files over HTTP; says no to whoever has no signature."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def send_head(self):
            if "X-Amz-Signature" not in self.path:
                self.send_error(403)
                return None
            if "gone" in self.path:
                self.send_error(500)
                return None
            return super().send_head()

        def log_message(self, *arguments):
            """Nothing on the screen."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://user:{SECRET}@127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def contents(server, output):
    """Every name and every byte below an output."""
    files = server.file_system()
    for path in files.find(output.removeprefix("s3://")):
        with contextlib.suppress(FileNotFoundError):
            yield path, files.cat_file(path)


def check_clean(server, output):
    for path, content in contents(server, output):
        assert SECRET not in path
        assert SECRET.encode() not in content, path
        if path.endswith(".parquet"):  # compressed
            assert SECRET not in text_of(content), path


def text_of(content):
    import io

    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(content))
    return str(file.schema_arrow.metadata) + str(file.read().to_pylist())


def test_no_secret_is_shown_or_stored(s3, s3_server, tmp_path, monkeypatch):
    server, output = s3_server, s3_server.fresh()
    with_keys = f"s3://{server.key}:{SECRET}@{output.removeprefix('s3://')}"
    bucket = f"{with_keys}-in"
    for name in ("en-phone.wav", "text.wav"):
        server.file_system().put_file(str(sample(name)), f"{output}-in/{name}")
    with web_server(copy_recordings(tmp_path / "web")) as address:
        manifest = tmp_path / "signed.jsonl"
        uris = [f"{address}/{name}?{SIGNATURE}" for name in ("zh-phone.wav", "missing.wav", "gone.wav")]
        uris.append(f"s3://{server.key}:{SECRET}@nosuchbucket/a.wav")
        manifest.write_text("".join(json.dumps({"uri": uri, "link": uri}) + "\n" for uri in uris))
        config = tmp_path / "run.toml"
        config.write_text(f'runner.options = ["--s3_secret_access_key={SECRET}", "--s3_session_token={SECRET}"]\n')
        environment = {**server.environment, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": f"token-{SECRET}"}
        scene = Scene((str(manifest), bucket), "", tmp_path, environment, verbose=True)
        command = scene.start(with_keys, "--config", config)
        wait_until(lambda: list(contents(server, f"{output}/_work")), command)
        while command.is_running:
            check_clean(server, f"{output}/")
            time.sleep(1)
        assert command.wait() == 0, command.text
        check_clean(server, f"{output}/")
        assert SECRET not in command.text
        rows = {row["uri"]: row for row in recordings(server, output)}
        assert rows[f"{address.replace(f'user:{SECRET}@', '')}/zh-phone.wav"]["status"] == "ok"
        assert rows[f"{output}-in/en-phone.wav"]["status"] == "ok"
        check_commands_are_clean(scene, with_keys, output, server)
        again_with_another_signature(scene, manifest, with_keys)


def recordings(server, output):
    import pyarrow.parquet as pq

    table = pq.read_table(f"{output.removeprefix('s3://')}/recordings", filesystem=server.file_system())
    return table.to_pylist()


def check_commands_are_clean(scene, with_keys, output, server):
    from tests.faults.processes import call

    for words in (["status", with_keys], ["status", with_keys, "--json"], ["compare", with_keys, with_keys]):
        _, text = call(words, scene.folder / "command.log", scene.environment)
        assert SECRET not in text
        assert "s3://" in text or words[0] == "compare"
    code, text = call(
        ["transcribe", f"https://me:{SECRET}@127.0.0.1:9/nothing?sig={SECRET}", "--output", with_keys],
        scene.folder / "error.log",
        scene.environment,
    )
    assert code in (2, 3)
    assert SECRET not in text


def again_with_another_signature(scene, manifest, with_keys):
    """A URL that was signed anew means the same recording: it is not transcribed twice."""
    manifest.write_text(re.sub("X-Amz-Expires=60", "X-Amz-Expires=99", manifest.read_text()))
    code, text = scene.run(with_keys)
    assert code == 0, text
    assert "begins" not in text

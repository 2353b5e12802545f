"""S3: against a server on this machine, and what is said where one cannot be had."""

import builtins
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.store.objects.test_mirror import content, copy

from cellwise.errors import Interrupted, PreflightError
from cellwise.store.objects import s3
from cellwise.store.objects.address import parse_address
from cellwise.store.objects.patience import Patience
from cellwise.store.objects.s3 import S3Source
from cellwise.store.objects.source import Other

# Each source reads the whole description of S3 first.
pytestmark = pytest.mark.long
SHORT = Patience(connect=5.0, read=2.0, tries=2, pause=0.01)


@pytest.fixture
def ask(bucket):
    made = []

    def ask(path="plate1", name="", patience=SHORT):
        place = f"s3://{name or bucket.name}{f'/{path}' if path else ''}"
        made.append(S3Source(parse_address(place), patience))
        return made[-1]

    yield ask
    for source in made:
        source.close()


def entries(source):
    return {entry.name: entry for page in source.pages() for entry in page}


def test_a_folder_of_a_bucket_is_copied(ask, bucket, tmp_path):
    files = {"a.tif": b"first", "b/Ä 1+%2F.tif": b"second", "empty.txt": b""}
    for name, data in files.items():
        bucket.put(f"plate1/{name}", data)
    bucket.put("plate1/b/", b"")
    bucket.put("plate10/other.tif", b"of another folder")
    bucket.put("plate1", b"an object of the folder's name")
    folder, _ = copy(ask(), tmp_path)
    assert content(folder) == files
    assert copy(ask(), tmp_path)[1][0].missing == ()
    bucket.put("plate1/a.tif", b"other")
    bucket.remove("plate1/empty.txt")
    copy(ask(), tmp_path)
    assert content(folder) == {"a.tif": b"other", "b/Ä 1+%2F.tif": b"second"}


def test_a_whole_bucket(ask, bucket, tmp_path):
    bucket.put("plate1/a.tif", b"first")
    bucket.put("b.tif", b"second")
    folder, _ = copy(ask(""), tmp_path)
    assert content(folder) == {"plate1/a.tif": b"first", "b.tif": b"second"}
    assert folder.name == bucket.name


def test_large_objects_come_in_pieces_and_with_the_tag_of_parts(ask, bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(s3, "_PIECE", 1 << 20)
    data = bytes(range(256)) * (3 << 13)
    bucket.put("plate1/one.tif", data)
    upload = bucket.client.create_multipart_upload(Bucket=bucket.name, Key="plate1/parts.tif")
    parts = [
        {
            "PartNumber": number,
            "ETag": bucket.client.upload_part(
                Bucket=bucket.name,
                Key="plate1/parts.tif",
                UploadId=upload["UploadId"],
                PartNumber=number,
                Body=body,
            )["ETag"],
        }
        for number, body in ((1, data), (2, b"end"))
    ]
    bucket.client.complete_multipart_upload(
        Bucket=bucket.name,
        Key="plate1/parts.tif",
        UploadId=upload["UploadId"],
        MultipartUpload={"Parts": parts},
    )
    assert entries(ask())["parts.tif"].tag.endswith("-2")
    folder, _ = copy(ask(), tmp_path)
    assert content(folder) == {"one.tif": data, "parts.tif": data + b"end"}


def test_another_object_of_the_name_is_not_taken(ask, bucket):
    bucket.put("plate1/a.tif", b"first")
    bucket.put("plate1/b.tif", b"second")
    source = ask()
    listed = entries(source)
    bucket.put("plate1/a.tif", b"other")
    bucket.remove("plate1/b.tif")
    for name in listed:
        with pytest.raises(Other):
            list(source.content(listed[name]))


def test_one_object_is_told_from_a_folder(ask, bucket):
    bucket.put("tables/labels.csv", b"well,label\n")
    found = ask("tables/labels.csv").single()
    assert (found.name, found.size) == ("labels.csv", 11)
    assert b"".join(ask().content(found)) == b"well,label\n"
    assert ask("tables/labels").single() is None
    assert ask("tables").single() is None


def test_no_bucket_is_said(ask):
    with pytest.raises(PreflightError, match="There is no such bucket"):
        list(ask(name="nowhere").pages())


def test_an_empty_folder_is_said(ask, tmp_path):
    with pytest.raises(PreflightError, match="holds no file"):
        copy(ask("nothing"), tmp_path)


def test_no_credentials_are_said(ask, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(PreflightError, match=r"No credentials were found.*FSSPEC_S3"):
        list(ask().pages())
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(PreflightError, match="AWS_PROFILE"):
        list(ask().pages())


def test_a_bucket_that_is_open_to_all_needs_none(ask, bucket, monkeypatch):
    bucket.put("plate1/a.tif", b"first")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    from fsspec.config import conf, set_conf_env

    monkeypatch.setenv("FSSPEC_S3", '{"anon": true}')
    # As fsspec does when it is imported.
    set_conf_env(conf)
    try:
        assert list(entries(ask())) == ["a.tif"]
    finally:
        conf.clear()


def test_a_package_that_is_not_installed_is_named(bucket, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **options):
        if name == "s3fs":
            raise ImportError("No module named 's3fs'")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PreflightError, match=r"pip install 'cellwise\[s3\]'"):
        S3Source(parse_address("s3://screen/plate1"))


def test_nobody_at_the_address_is_said_soon(ask, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(PreflightError, match=r"cannot be listed.*AWS_ENDPOINT_URL"):
            list(ask().pages())
        assert time.monotonic() - began < 60


ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>no</Message></Error>"


@pytest.fixture
def odd_server(monkeypatch, s3_set):
    """A server that answers what it is told: a status and a body, less, or nothing."""
    answers: dict = {"asked": 0}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            answers["asked"] += 1
            said = answers["say"](self.path, answers["asked"])
            if said is None:
                answers["silent"].wait(20)
                self.close_connection = True
                return
            status, body, length = said
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.send_header("ETag", '"0cc175b9c0f1b6a831c399e269772661"')
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = length != len(body)

        def log_message(self, *_):
            pass

    answers["silent"] = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield answers
    answers["silent"].set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [
        (403, "AccessDenied", "not allowed"),
        (403, "InvalidAccessKeyId", "does not know this access key"),
        (403, "SignatureDoesNotMatch", "secret key is another one"),
        (400, "ExpiredToken", "have expired"),
        (400, "AuthorizationHeaderMalformed", "AWS_REGION"),
        (403, "RequestTimeTooSkewed", "clock"),
        (418, "Teapot", "the server says Teapot"),
    ],
)
def test_what_the_server_refuses_is_said_with_its_cure(ask, odd_server, status, code, word):
    body = ERROR.format(code).encode()
    odd_server["say"] = lambda path, asked: (status, body, len(body))
    with pytest.raises(PreflightError, match=word):
        list(ask().pages())


@pytest.mark.slow
def test_a_silent_server_is_not_waited_for_long(ask, odd_server):
    odd_server["say"] = lambda path, asked: None
    began = time.monotonic()
    with pytest.raises(PreflightError, match="cannot be listed"):
        list(ask().pages())
    assert time.monotonic() - began < 60


LISTING = (
    "<?xml version='1.0'?><ListBucketResult><IsTruncated>false</IsTruncated><Contents>"
    "<Key>plate1/a.tif</Key><Size>{}</Size><ETag>&quot;{}&quot;</ETag>"
    "<StorageClass>{}</StorageClass></Contents></ListBucketResult>"
)
A_MD5 = "0cc175b9c0f1b6a831c399e269772661"


def listing(size=1, tag=A_MD5, kind="STANDARD"):
    body = LISTING.format(size, tag, kind).encode()
    return 200, body, len(body)


def test_a_listing_of_pages_is_followed_and_left_when_it_is_enough(ask, odd_server):
    def say(path, asked):
        _, body, _ = listing()
        body = body.replace(b"a.tif", f"{asked:03d}.tif".encode())
        body = body.replace(b"false", b"true" if asked < 5 else b"false")
        more = f"</IsTruncated><NextContinuationToken>to {asked}</NextContinuationToken>"
        assert (f"continuation-token=to%20{asked - 1}" in path) == (asked > 1)
        body = body.replace(b"</IsTruncated>", more.encode())
        return 200, body, len(body)

    odd_server["say"] = say
    pages = ask().pages()
    assert [entry.name for entry in next(pages)] == ["001.tif"]
    assert odd_server["asked"] == 1
    assert [page[0].name for page in pages] == [f"{k:03d}.tif" for k in range(2, 6)]


def test_a_download_that_is_cut_once_is_asked_for_again(ask, odd_server, tmp_path):
    cut = []

    def say(path, asked):
        if "list-type" in path:
            return listing()
        if not cut:
            cut.append(1)
            return 200, b"", 1
        return 200, b"a", 1

    odd_server["say"] = say
    folder, _ = copy(ask(), tmp_path)
    assert content(folder) == {"a.tif": b"a"}
    assert cut


def test_a_download_that_is_always_cut_ends_and_leaves_nothing(ask, odd_server, tmp_path):
    odd_server["say"] = lambda path, asked: (
        listing(size=5) if "list-type" in path else (200, b"a", 5)
    )
    began = time.monotonic()
    with pytest.raises(Interrupted, match="the same command continues"):
        copy(ask(), tmp_path)
    assert time.monotonic() - began < 60
    assert not list(tmp_path.rglob("*.tif"))


def test_other_bytes_than_the_checksum_says_are_refused(ask, odd_server, tmp_path):
    odd_server["say"] = lambda path, asked: listing() if "list-type" in path else (200, b"b", 1)
    with pytest.raises(Interrupted, match="another checksum"):
        copy(ask(), tmp_path)
    assert not list(tmp_path.rglob("*.tif"))


def test_a_busy_server_is_asked_again(ask, odd_server, tmp_path):
    busy = ERROR.format("InternalError").encode()
    asked_for = []

    def say(path, asked):
        if "list-type" in path:
            return listing()
        asked_for.append(path)
        return (500, busy, len(busy)) if len(asked_for) == 1 else (200, b"a", 1)

    odd_server["say"] = say
    assert content(copy(ask(), tmp_path)[0]) == {"a.tif": b"a"}
    assert len(asked_for) == 2


def test_objects_in_an_archive_are_refused(ask, odd_server):
    odd_server["say"] = lambda path, asked: listing(kind="GLACIER")
    with pytest.raises(PreflightError, match="lies in an archive"):
        list(ask().pages())

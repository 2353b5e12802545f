"""Addresses: what is taken, and that secrets in what is refused are not repeated."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.errors import UsageError
from cellwise.store.objects.address import (
    Address,
    looks_like_address,
    parse_address,
    refuse_address,
)


@pytest.mark.parametrize(
    ("text", "parts", "name"),
    [
        ("s3://screen/plate1", ("s3", "screen", "plate1"), "plate1"),
        ("s3://screen/a/plate 1/", ("s3", "screen", "a/plate 1"), "plate 1"),
        ("S3://screen", ("s3", "screen", ""), "screen"),
        ("gs://my.screen_2/plate#1", ("gs", "my.screen_2", "plate#1"), "plate#1"),
    ],
)
def test_a_bucket_and_a_folder_are_an_address(text, parts, name):
    address = parse_address(text)
    assert (address.protocol, address.bucket, address.path) == parts
    assert address.name == name
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("zip::s3://screen/plate1.zip", "Chained"),
        ("s3://screen/a::b", "Chained"),
        ("simplecache::gs://screen/plate1", "Chained"),
        ("http://host/plate1", "folder first"),
        ("https://host/plate1.zip", "folder first"),
        ("ftp://host/plate1", "folder first"),
        ("memory://plate1", "folder first"),
        ("file:///data/plate1", "without file://"),
        ("zip://plate1.zip", "path of the zip"),
        ("s3a://screen/plate1", "Write s3://"),
        ("gcs://screen/plate1", "Write gs://"),
        ("s3:/screen/plate1", "Path drops one"),
        ("s3://", "no name of a bucket"),
        ("s3:///plate1", "no name of a bucket"),
        ("s3://scr een/plate1", "no name of a bucket"),
        ("s3://screen/a//b", "empty part"),
        ("s3://screen/../other", "'..'"),
        ("s3://screen/./a", "'.'"),
        ("s3://screen/a\nb", "cannot be shown"),
    ],
)
def test_what_is_not_read_names_its_cure(text, word):
    assert looks_like_address(text)
    with pytest.raises(UsageError, match="(?s)" + word.replace(".", r"\.")):
        parse_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "s3://user:PASSWORD@screen/plate1",
        "s3://PASSWORD@screen/plate1",
        "s3://host:9000/PASSWORD",
        "s3://screen/plate1?X-Amz-Signature=PASSWORD",
        "https://user:PASSWORD@host/plate1",
        "gs://screen?PASSWORD",
    ],
)
def test_secrets_are_refused_and_not_repeated(text):
    with pytest.raises(UsageError) as said:
        parse_address(text)
    assert "PASSWORD" not in str(said.value)


@pytest.mark.parametrize(
    "text", ["plate1", "a/b", "/data/plate1", "C:\\data", "C:/data", "a:b", "s3", "./s3:x", "x::"]
)
def test_paths_are_no_addresses(text):
    assert looks_like_address(text) == (text == "x::")


def test_a_folder_of_such_a_name_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s3:/screen").mkdir(parents=True)
    assert not looks_like_address("s3:/screen")
    assert looks_like_address("s3://screen")


def test_output_to_an_address_is_refused_with_the_cure():
    for text in ("s3://screen/run", Path("s3://screen/run"), "gs://screen/run"):
        with pytest.raises(UsageError, match=r"--out .*copy it from there"):
            refuse_address(text, "--out")
    for text in (None, "run", Path("a/run")):
        refuse_address(text, "--out")


parts = st.text("abcXYZ019._- é#&", min_size=1, max_size=8).filter(lambda t: t.strip(". ") == t)


@given(st.sampled_from(["s3", "gs"]), st.lists(parts, max_size=4))
def test_an_address_reads_back_as_it_is_written(protocol, found):
    address = Address(protocol, "screen", "/".join(found))
    assert parse_address(str(address)) == address

"""Zip files: ordinary ones are read whole, those that would do harm are refused before writing."""

import io
import stat
import struct
import zipfile

import pytest
from tests.store.objects.test_mirror import content, copy

from cellwise.errors import PreflightError
from cellwise.store.objects import zipped
from cellwise.store.objects.zipped import ZipSource

FILES = {"A01_DNA.tif": b"first" * 99, "b/A02_DNA.tif": b"second", "labels.csv": b"well,label\n"}


def pack(path, files, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def unpacked(path, home):
    source = ZipSource(path)
    try:
        return copy(source, home)[0]
    finally:
        source.close()


def test_a_zip_becomes_a_folder_of_its_name(tmp_path):
    folder = unpacked(pack(tmp_path / "plate1.zip", FILES), tmp_path / "home")
    assert folder.name == "plate1"
    assert content(folder) == FILES


def test_packed_again_nothing_is_written_again(tmp_path):
    path = pack(tmp_path / "plate1.zip", FILES)
    folder = unpacked(path, tmp_path / "home")
    before = {p: p.stat() for p in folder.rglob("*.tif")}
    pack(path, dict(reversed({**FILES, "labels.csv": b"well,other\n"}.items())))
    unpacked(path, tmp_path / "home")
    assert {p: p.stat() for p in before} == before
    assert (folder / "labels.csv").read_bytes() == b"well,other\n"


def test_the_only_top_folder_is_the_folder(tmp_path):
    files = {f"my plate/{name}": data for name, data in FILES.items()}
    files |= {"my plate/": b"", "__MACOSX/my plate/._A01_DNA.tif": b"mac"}
    files |= {"my plate/b/.DS_Store": b"mac", "my plate/b/Thumbs.db": b"windows"}
    assert content(unpacked(pack(tmp_path / "p.zip", files), tmp_path / "home")) == FILES


def test_two_top_folders_stay(tmp_path):
    files = {"a/1.tif": b"1", "b/1.tif": b"2"}
    assert content(unpacked(pack(tmp_path / "p.zip", files), tmp_path / "home")) == files


def test_a_zip_in_a_zip_stays_a_file(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        packed.writestr("deep.tif", b"deep")
    files = {"a.tif": b"1", "inner.zip": inner.getvalue()}
    assert content(unpacked(pack(tmp_path / "p.zip", files), tmp_path / "home")) == files


def test_names_in_utf8_are_read_though_nothing_says_so(tmp_path):
    path = pack(tmp_path / "p.zip", {"Ä1.tif": b"1", "b.tif": b"2"})
    raw = path.read_bytes()
    utf8 = struct.pack("<H", 0x800)
    assert raw.count(utf8)
    # The flag of both directories, as the Finder leaves it.
    plain = bytearray(raw)
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = raw.index(sign)
        plain[start + place : start + place + 2] = b"\0\0"
    path.write_bytes(plain)
    assert set(content(unpacked(path, tmp_path / "home"))) == {"Ä1.tif", "b.tif"}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("../out.tif", "leads out"),
        ("a/../../out.tif", "leads out"),
        ("/etc/out.tif", "root of a disk"),
        ("C:/out.tif", "root of a disk"),
        ("..\\out.tif", "backslash"),
        ("a/b\\out.tif", "backslash"),
        ("a//out.tif", "two slashes"),
    ],
)
def test_names_that_climb_are_refused(tmp_path, name, word):
    path = pack(tmp_path / "p.zip", {"a.tif": b"1", name: b"2"})
    with pytest.raises(PreflightError, match=word):
        unpacked(path, tmp_path / "home" / "deep")
    assert not list(tmp_path.rglob("out.tif"))
    assert not list(tmp_path.rglob("a.tif"))


def test_all_of_them_climbing_is_refused_too(tmp_path):
    path = pack(tmp_path / "p.zip", {"../a.tif": b"1", "../b.tif": b"2"})
    with pytest.raises(PreflightError, match="leads out"):
        unpacked(path, tmp_path / "home" / "deep")


def test_a_name_cut_by_a_zero_is_refused(tmp_path):
    path = pack(tmp_path / "p.zip", {"aXb.tif": b"1"})
    path.write_bytes(path.read_bytes().replace(b"aXb", b"a\0b"))
    with pytest.raises(PreflightError, match=r"cannot be shown|damaged"):
        unpacked(path, tmp_path / "home")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_is_refused(tmp_path):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.tif", b"1")
        packed.writestr("a.tif", b"2")
    with pytest.raises(PreflightError, match="twice"):
        unpacked(path, tmp_path / "home")


@pytest.mark.parametrize(
    ("kind", "word"), [(stat.S_IFLNK, "is a link"), (stat.S_IFIFO, "device or a pipe")]
)
def test_links_and_pipes_are_refused(tmp_path, kind, word):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as packed:
        info = zipfile.ZipInfo("a.tif")
        info.create_system = 3
        info.external_attr = (kind | 0o777) << 16
        packed.writestr(info, "/etc/passwd")
    with pytest.raises(PreflightError, match=word):
        unpacked(path, tmp_path / "home")


def _marked(path, flag=0, method=None):
    """The same zip file with another flag or method in both directories."""
    raw = bytearray(path.read_bytes())
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = raw.index(sign)
        found = struct.unpack_from("<HH", raw, start + place)
        struct.pack_into(
            "<HH", raw, start + place, found[0] | flag, found[1] if method is None else method
        )
    path.write_bytes(raw)
    return path


def test_an_encrypted_zip_is_refused(tmp_path):
    path = _marked(pack(tmp_path / "p.zip", {"a.tif": b"1"}), flag=1)
    with pytest.raises(PreflightError, match=r"encrypted\. Unpack it with its password"):
        unpacked(path, tmp_path / "home")


def test_a_way_of_packing_that_is_not_read_is_refused(tmp_path):
    path = _marked(pack(tmp_path / "p.zip", {"a.tif": b"1"}), method=9)
    with pytest.raises(PreflightError, match="method 9"):
        unpacked(path, tmp_path / "home")


def test_a_bomb_is_refused_before_it_is_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(zipped, "_MUCH", 1 << 20)
    path = pack(tmp_path / "p.zip", {f"{k}.tif": bytes(1 << 21) for k in range(4)})
    with pytest.raises(PreflightError, match="which no images do"):
        ZipSource(path)
    monkeypatch.setattr(zipped, "_RATIO", 2000)
    assert len(content(unpacked(path, tmp_path / "home"))) == 4


def test_a_file_larger_than_it_says_is_refused(tmp_path):
    path = pack(tmp_path / "p.zip", {"a.tif": bytes(5000)})
    raw = path.read_bytes()
    path.write_bytes(raw.replace(struct.pack("<I", 5000), struct.pack("<I", 50)))
    with pytest.raises(PreflightError, match=r"damaged at 'a\.tif'"):
        unpacked(path, tmp_path / "home")
    assert not list((tmp_path / "home").rglob("*.tif"))


@pytest.mark.parametrize("cut", [0, 3, 100, 0.5, 0.95])
def test_a_cut_zip_is_refused(tmp_path, cut):
    path = pack(tmp_path / "p.zip", FILES)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(cut * len(raw)) if cut < 1 else cut])
    with pytest.raises(PreflightError, match="cut, damaged, or no zip file"):
        unpacked(path, tmp_path / "home")


def test_a_damaged_file_in_it_is_named(tmp_path):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.tif", b"image")
        packed.writestr("b.tif", b"other")
    path.write_bytes(path.read_bytes().replace(b"other", b"0ther"))
    with pytest.raises(PreflightError, match=r"damaged at 'b\.tif'"):
        unpacked(path, tmp_path / "home")


@pytest.mark.parametrize("make", ["none", "text", "folder"])
def test_what_is_no_zip_is_refused(tmp_path, make):
    path = tmp_path / "p.zip"
    if make == "text":
        path.write_text("<html>not found</html>", encoding="utf-8")
    if make == "folder":
        path.mkdir()
    with pytest.raises(PreflightError, match=r"no zip file|cannot be read"):
        ZipSource(path)


def test_an_empty_zip_holds_no_file(tmp_path):
    with pytest.raises(PreflightError, match="holds no file"):
        unpacked(pack(tmp_path / "p.zip", {}), tmp_path / "home")

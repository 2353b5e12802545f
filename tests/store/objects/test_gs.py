"""Google Cloud Storage: against a stand-in on this machine, not against the real one."""

import builtins

import pytest
from tests.store.objects.servers import gs_server, put_gs, remove_gs
from tests.store.objects.test_mirror import content, copy

from cellwise.errors import PreflightError
from cellwise.store.objects import gs
from cellwise.store.objects.address import parse_address
from cellwise.store.objects.gs import GsSource
from cellwise.store.objects.source import Other

pytestmark = pytest.mark.long


@pytest.fixture
def server(monkeypatch):
    with gs_server("screen") as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        yield address


@pytest.fixture
def ask(server):
    made = []

    def ask(text="gs://screen/plate1"):
        made.append(GsSource(parse_address(text)))
        return made[-1]

    yield ask
    for source in made:
        source.close()


def test_a_folder_of_a_bucket_is_copied(ask, server, tmp_path, monkeypatch):
    monkeypatch.setattr(gs, "_PIECE", 4)
    files = {"a.tif": b"first image", "b/c d.tif": b"2nd", "e.txt": b"3"}
    for name, data in files.items():
        put_gs(server, "screen", f"plate1/{name}", data)
    put_gs(server, "screen", "plate10/other.tif", b"of another folder")
    folder, _ = copy(ask(), tmp_path)
    assert content(folder) == files
    assert copy(ask(), tmp_path)[1][0].missing == ()
    put_gs(server, "screen", "plate1/a.tif", b"other image")
    remove_gs(server, "screen", "plate1/b/c d.tif")
    copy(ask(), tmp_path)
    assert content(folder) == {"a.tif": b"other image", "e.txt": b"3"}


def test_an_object_that_went_is_another_one(ask, server):
    put_gs(server, "screen", "plate1/a.tif", b"first")
    source = ask()
    (entry,) = next(iter(source.pages()))
    remove_gs(server, "screen", "plate1/a.tif")
    with pytest.raises(Other):
        list(source.content(entry))


def test_one_object_is_told_from_a_folder(ask, server):
    put_gs(server, "screen", "tables/labels.csv", b"well,label\n")
    assert ask("gs://screen/tables/labels.csv").single().name == "labels.csv"
    assert ask("gs://screen/tables").single() is None


def test_what_is_not_there_is_said(ask, tmp_path):
    with pytest.raises(PreflightError, match="no such bucket"):
        list(ask("gs://nowhere/plate1").pages())
    with pytest.raises(PreflightError, match="holds no file"):
        copy(ask("gs://screen/nothing"), tmp_path)


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **options):
        if name.startswith("gcsfs"):
            raise ImportError("No module named 'gcsfs'")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PreflightError, match=r"pip install 'cellwise\[gs\]'"):
        GsSource(parse_address("gs://screen/plate1"))


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (OSError("Forbidden: b/screen/o\nno"), "not allowed"),
        (FileNotFoundError("b/screen/o"), "no such bucket"),
        (ConnectionError("https://host/o?secret=1 refused"), "cannot be listed: https://host/o"),
    ],
)
def test_what_the_server_refuses_is_said_with_its_cure(ask, monkeypatch, error, word):
    source = ask()

    def refuse(*words, **options):
        raise error

    monkeypatch.setattr(source._files, "call", refuse)
    with pytest.raises(PreflightError, match=word) as said:
        list(source.pages())
    assert "secret" not in str(said.value)

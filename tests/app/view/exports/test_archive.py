"""A folder as a zip file that is never whole anywhere."""

import io
import zipfile

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwise.app.view.exports.archive import zipped

names = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)
trees = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map(lambda parts: "/".join(f"d{p}" for p in parts)),
    st.binary(max_size=3000),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees)
def test_what_comes_out_is_what_went_in(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("zip") / "geo json"
    for name, content in tree.items():
        path = folder / f"{name}.x" / "file.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(folder)))) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {f"geo json/{name}.x/file.csv": content for name, content in tree.items()}


def test_pieces_are_small_and_links_are_left_out(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "large.tif").write_bytes(bytes(5 * 2**20))
    (tmp_path / "secret").write_text("of another folder")
    (folder / "link").symlink_to(tmp_path / "secret")
    pieces = list(zipped(folder))
    assert max(map(len, pieces)) < 2 * 2**20
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.namelist() == ["export/large.tif"]
        assert archive.getinfo("export/large.tif").file_size == 5 * 2**20

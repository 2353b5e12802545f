"""Names of objects: what is a file everywhere is taken, anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.errors import PreflightError
from cellwise.store.objects.names import Names


def taken(names, *, windows=False):
    seen = Names("s3://screen/plate1", windows=windows)
    for name in names:
        seen.take(name)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("../other.tif", "leads out"),
        ("a/../../b.tif", "leads out"),
        ("a/./b.tif", "leads out"),
        ("/etc/passwd", "root of a disk"),
        ("C:/a.tif", "root of a disk"),
        ("c:a.tif", "root of a disk"),
        ("a//b.tif", "two slashes"),
        ("a/", "two slashes"),
        ("a\\b.tif", "backslash"),
        ("..\\b.tif", "backslash"),
        ("a\x00.tif", "cannot be shown"),
        ("a\n.tif", "cannot be shown"),
        ("a\x9b.tif", "cannot be shown"),
        ("\ud800.tif", "cannot be shown"),
        ("x" * 252 + ".tif", "255 bytes"),
        ("é" * 127 + ".tif", "255 bytes"),
        ("a/" * 64 + "b.tif", "64 folders"),
        ("", "root of a disk"),
    ],
)
def test_what_is_no_file_of_the_folder_is_refused(name, word):
    with pytest.raises(PreflightError, match=word):
        taken([name])


@pytest.mark.parametrize(
    "names",
    [
        ("a.tif", "A.tif"),
        ("b/a.tif", "B/c.tif"),
        ("a", "a/b.tif"),
        ("a/b.tif", "a"),
        ("é.tif", "e\u0301.tif"),
        ("straße.tif", "STRASSE.tif"),
    ],
)
def test_two_names_of_one_file_are_refused(names):
    with pytest.raises(PreflightError, match="cannot lie in one folder"):
        taken(names)
    with pytest.raises(PreflightError, match="cannot lie in one folder"):
        taken(reversed(names))


def test_one_name_twice_is_refused():
    with pytest.raises(PreflightError, match="twice"):
        taken(["a/b.tif", "a/b.tif"])


@pytest.mark.parametrize("name", ["con.tif", "a?.tif", "a/b .", "NUL", "a:b.tif"])
def test_windows_allows_fewer(name):
    with pytest.raises(PreflightError):
        taken([name], windows=True)


def test_names_of_the_laboratory_are_taken():
    taken(["A01 s1\u00a0w1.tif", "plate/Ä – 5 µM.tif", "..a.tif", "a..b", "x" * 255, "a?*.tif"])


plain = st.text("abc1._-é", min_size=1, max_size=4).filter(lambda part: part not in (".", ".."))
paths = st.lists(plain, min_size=1, max_size=3).map("/".join)


@given(st.lists(paths, unique=True, max_size=8), st.randoms())
def test_a_refusal_depends_on_the_names_and_not_on_their_order(names, random):
    def refused(order):
        try:
            taken(order)
        except PreflightError:
            return True
        return False

    others = list(names)
    random.shuffle(others)
    files = set(names)
    ancestors = {"/".join(n.split("/")[:k]) for n in names for k in range(1, n.count("/") + 1)}
    # These letters have one case.
    assert refused(names) == refused(others) == bool(files & ancestors)

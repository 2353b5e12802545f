import pytest

from cellwise.store.run.folder import run_title


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("a/plate1", "plate1"),
        ("a/plate1/images/", "plate1"),
        ("input", "this run"),
        ("", "this run"),
    ],
)
def test_a_run_is_called_after_its_plate(folder, name):
    assert run_title({"inputs": {"folder": folder}}) == name
    assert run_title({}) == "this run"

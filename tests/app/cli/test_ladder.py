"""`cellwise ladder`: wrong words end with 2 and one message, nothing is made."""

import pytest
from typer.testing import CliRunner

from cellwise.app.cli import app
from cellwise.errors import UnknownName, UsageError


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (["--quick", "--rows", "full"], UsageError, "not both"),
        (["--rows", "quik"], UnknownName, "Did you mean 'quick'"),
        (["--quick", "--world", "moon"], UsageError, "--world 'moon'"),
    ],
)
def test_wrong_words_are_refused(tmp_path, words, kind, said):
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["ladder", str(out), *words, "--device", "cpu"])
    assert isinstance(done.exception, kind)
    assert said in str(done.exception)
    assert not out.exists()

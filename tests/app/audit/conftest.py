"""The run that audits are tried on."""

import pytest
from tests.app.audit.runs import make_run


@pytest.fixture
def audited(tmp_path):
    """Run folder, what each cell shows, and both as arrays."""
    return make_run(tmp_path)

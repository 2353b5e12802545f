"""`metrics.json`: exactly what the product's page pins, and nothing that JSON cannot hold."""

import json
from typing import cast

import numpy as np
import pytest

from cellwise.errors import FormatError
from cellwise.store.run.metrics import Metric, read_metrics, write_metrics


def test_the_file_has_the_pinned_shape(tmp_path):
    path = tmp_path / "metrics.json"
    write_metrics(
        path, {"b": Metric(0.5, 0.25, 0.75, 12, "site"), "a": Metric(1, None, None, 3, "well")}
    )
    assert json.loads(path.read_text()) == {
        "metrics": {
            "a": {"value": 1.0, "low": None, "high": None, "n": 3, "unit": "well"},
            "b": {"value": 0.5, "low": 0.25, "high": 0.75, "n": 12, "unit": "site"},
        }
    }
    assert list(read_metrics(path)) == ["a", "b"]
    assert read_metrics(path)["b"] == Metric(0.5, 0.25, 0.75, 12, "site")


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf"), np.float64("nan")])
def test_what_is_not_a_number_becomes_null(tmp_path, odd):
    path = tmp_path / "metrics.json"
    write_metrics(path, {"a": Metric(odd, odd, odd, 0, "site")})
    assert "NaN" not in path.read_text()
    assert read_metrics(path)["a"].value is None


def test_numbers_of_numpy_are_accepted(tmp_path):
    path = tmp_path / "metrics.json"
    write_metrics(path, {"a": Metric(cast("float", np.float32(0.5)), None, None, 1, "site")})
    assert read_metrics(path)["a"].value == 0.5


@pytest.mark.parametrize(
    "content", ["{}", '{"metrics": {"a": {"value": 1}}}', '{"metrics": []}', "{"]
)
def test_a_file_of_another_shape_is_refused(tmp_path, content):
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.raises(FormatError):
        read_metrics(path)

"""The page of features tells of every kind of number that cells are measured by."""

import re
from pathlib import Path

from cellwise.domain.channels import Channel
from cellwise.parts.features.panel import panel_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "features.md"


def test_each_category_and_each_feature_has_a_place():
    text = PAGE.read_text(encoding="utf-8")
    nucleus = Channel("dna", "nucleus")
    names = panel_of((nucleus,)).names
    names += panel_of((nucleus, Channel("gfp", "protein"))).names
    for name in names:
        _, category, feature, *_ = name.split("_")
        assert f"`{category}_" in text, name
        assert re.sub(r"(Ridge|Blob|Hole)Quantile98|(?<=Quantile)[\d.]+$", "", feature) in text, (
            name
        )

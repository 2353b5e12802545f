import pytest

from cellwise.domain.channels import Channel


def test_an_unknown_role_is_refused():
    with pytest.raises(ValueError, match="no role"):
        Channel("x", "nukleus")


def test_models_remember_a_channel_by_role_else_by_name():
    assert Channel("dna", "nucleus").key == "nucleus"
    assert Channel("w5").key == "w5"

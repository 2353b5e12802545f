import pytest

from cellwise.domain.channels import Channel, guess_role, name_channels


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("DAPI", "nucleus"),
        ("dna", "nucleus"),
        ("HOECHST 33342", "nucleus"),
        ("gfp", "protein"),
        ("alpha-tubulin", "microtubule"),
        ("ch1", None),
        ("GFP-DAPI", None),
    ],
)
def test_roles_come_from_words_that_name_one_stain(name, role):
    assert guess_role(name) == role


def test_two_channels_never_share_a_guessed_role():
    assert [c.role for c in name_channels(["dapi", "hoechst", "gfp"])] == [None, None, "protein"]


def test_a_given_role_beats_the_guess():
    channels = name_channels(["dapi", "gfp"], {"gfp": "er"})
    assert [c.role for c in channels] == ["nucleus", "er"]


def test_an_unknown_role_is_refused():
    with pytest.raises(ValueError, match="no role"):
        Channel("x", "nukleus")


def test_models_remember_a_channel_by_role_else_by_name():
    assert Channel("dna", "nucleus").key == "nucleus"
    assert Channel("w5").key == "w5"

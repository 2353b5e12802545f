"""Roles that a user or a finished run gives, held against the channels that are there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.channels import ROLES
from cellwise.errors import BadOption
from cellwise.stages.read.channels.roles import given_roles
from cellwise.stages.read.names import spelling
from cellwise.stages.read.spec import Options

HERE = ["Alexa 488", "Cy 5.5", "DAPI"]


def test_what_a_finished_run_says_of_channels_that_are_not_here_is_passed_over():
    said = {"dna": "nucleus", "dapi": "nucleus", "gfp": "protein"}
    assert given_roles(said, HERE, inherited={"dna", "dapi", "gfp"}) == {"DAPI": "nucleus"}


def test_a_user_stands_before_a_finished_run():
    said = {"DAPI": "nucleus", "alexa488": "nucleus"}
    assert given_roles(said, HERE, inherited={"DAPI"}) == {"Alexa 488": "nucleus"}
    with pytest.raises(BadOption, match="never share"):
        given_roles(said, HERE)


def test_a_name_with_a_dot_arrives_in_pieces_and_is_whole():
    options = Options.of({"roles": {"cy5": {"5": "er"}, "DAPI": "nucleus"}})
    assert given_roles(options.roles, HERE) == {"Cy 5.5": "er", "DAPI": "nucleus"}


@given(st.dictionaries(st.sampled_from([*HERE, "dapi", "cy5.5", "w1"]), st.sampled_from(ROLES)))
def test_roles_are_given_to_channels_that_are_there_or_refused(roles):
    here = {spelling(name) for name in HERE}
    known = [name for name in roles if spelling(name) in here]
    wanted = {(spelling(name), roles[name]) for name in known}
    once = len({role for _, role in wanted}) == len({name for name, _ in wanted}) == len(wanted)
    if len(known) < len(roles) or not once:
        with pytest.raises(BadOption, match=", ".join(HERE)):
            given_roles(roles, HERE)
        return
    found = given_roles(roles, HERE)
    assert set(found) <= set(HERE)
    assert len(set(found.values())) == len(found)

"""Roles that a user gives to channels, held against the channels that are there."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from cellwise.errors import BadOption
from cellwise.registry import did_you_mean
from cellwise.stages.read.names import spelling


def given_roles(
    roles: Mapping[str, str], channels: Sequence[str], *, inherited: Collection[str] = ()
) -> dict[str, str]:
    """The user's roles by the channels' own names; names are matched without case and separators.

    Args:
        roles: Role by channel name, as the user writes it.
        channels: The channels of the folder.
        inherited: Names that a finished run gives, not the user: those not here are passed over,
            and a role that the user gives to another channel is taken from them.

    Raises:
        BadOption: A name that is no channel here, or one role for two channels; the message lists
            the channels.
    """
    spelled = {spelling(name): name for name in channels}
    listed = f"The channels are {', '.join(channels)}."
    found: dict[str, str] = {}
    wanted: dict[str, list[str]] = defaultdict(list)
    # What a user says stands before what a run says.
    for name in sorted(roles, key=lambda name: name in inherited):
        channel = spelled.get(spelling(name))
        if channel is None:
            if name in inherited:
                continue
            raise BadOption(
                f"read.roles.{name}={roles[name]}: no channel is called {name!r}."
                f"{did_you_mean(spelling(name), list(spelled))} {listed}"
            )
        if name in inherited and (roles[name] in wanted or channel in found):
            continue
        if found.get(channel, roles[name]) != roles[name]:
            raise BadOption(f"read.roles gives {channel} two roles. Leave it one. {listed}")
        found[channel] = roles[name]
        if channel not in wanted[roles[name]]:
            wanted[roles[name]].append(channel)
    for role, names in wanted.items():
        if len(names) > 1:
            raise BadOption(
                f"read.roles gives the role {role!r} to {' and '.join(names)}: two channels never "
                f"share a role. Leave it to one of them. {listed}"
            )
    return found

"""Passwords: which role they give, and files that are not safe."""

import argon2
import pytest

from cellwise.app.view.access.passwords import Passwords, ask_passwords, read_passwords
from cellwise.app.view.access.sessions import Role
from cellwise.errors import PreflightError, UsageError

VIEWERS, EDITORS = "for those who look", "for those who judge: ü€"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "passwords"

    def written(text, mode=0o600):
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    return written


def test_each_password_gives_its_role_and_others_none(file):
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=64).hash(VIEWERS)
    known = read_passwords(file(f"# of the lab\n\nviewer: {hashed}\neditor:{EDITORS}\n"))
    assert known.role_of(VIEWERS) is Role.VIEWER
    assert known.role_of(EDITORS) is Role.EDITOR
    for wrong in ("", hashed, VIEWERS[:-1], EDITORS + " ", "viewer", "x" * 5000):
        assert known.role_of(wrong) is None


def test_passwords_are_not_kept(file):
    known = read_passwords(file(f"viewer: {VIEWERS}\n"))
    held = [value for slot in vars(known).values() for value in str(slot).split()]
    assert VIEWERS not in str(vars(known))
    assert any("argon2id" in one for one in held)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_is_refused(file, mode):
    with pytest.raises(UsageError, match="chmod 600"):
        read_passwords(file(f"viewer: {VIEWERS}\n", mode))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no password"),
        ("viewer: short\n", "has 5 letters"),
        ("guest: long enough it is\n", "line 1"),
        ("\nviewer long enough it is\n", "line 2"),
        (f"viewer: {VIEWERS}\nviewer: {EDITORS}\n", "already"),
        (f"viewer: {VIEWERS}\neditor: {VIEWERS}\n", "two different"),
        ("viewer: $argon2id$torn-secret\n", "damaged"),
    ],
)
def test_lines_that_cannot_be_used_are_named_and_not_shown(file, text, words):
    with pytest.raises(UsageError, match=words) as refused:
        read_passwords(file(text))
    assert not any(secret in str(refused.value) for secret in (VIEWERS, "long enough", "secret"))


def test_files_that_are_none(file, tmp_path):
    with pytest.raises(PreflightError, match="nothing-here"):
        read_passwords(tmp_path / "nothing-here")
    path = file("")
    path.write_bytes(b"viewer: \xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        read_passwords(path)


def test_editors_need_a_password_of_their_own(file):
    with pytest.raises(UsageError, match="editor: PASSWORD"):
        read_passwords(file(f"viewer: {VIEWERS}\n"), edit=True)


def typed(*lines):
    given = iter(lines)
    return lambda _: next(given)


def test_who_starts_the_server_types_each_twice():
    one = ask_passwords(edit=False, ask=typed(VIEWERS, VIEWERS), terminal=True)
    assert one.roles == (Role.VIEWER,)
    both = ask_passwords(edit=True, ask=typed(VIEWERS, VIEWERS, EDITORS, EDITORS), terminal=True)
    assert both.role_of(EDITORS) is Role.EDITOR
    with pytest.raises(UsageError, match="two different"):
        ask_passwords(edit=False, ask=typed(VIEWERS, EDITORS), terminal=True)


def test_where_nobody_can_type_a_file_is_asked_for():
    with pytest.raises(UsageError, match="--password-file"):
        ask_passwords(edit=False, ask=typed(), terminal=False)


def test_two_roles_have_two_passwords():
    with pytest.raises(UsageError, match="two different"):
        Passwords({Role.VIEWER: VIEWERS, Role.EDITOR: VIEWERS})

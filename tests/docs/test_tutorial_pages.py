"""The runner of pages: what a page shows wrongly, or leaves out silently, makes it fail."""

import pytest
from tests.docs.shown_output import difference
from tests.docs.tutorial_pages import WrongPage, blocks, do

PAGE = """
# A page

`poem.txt`, in any editor:

```
one
two
```

```
cat poem.txt; cellwise --version
```

```text
one
{second}
cellwise ...
```

```python
n = 3
```

```python
print(n / 7)
```

```text
{share}
```
"""


def page(folder, text):
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_page_that_shows_what_comes_passes(tmp_path, monkeypatch):
    do(page(tmp_path, PAGE.format(second="two", share="0.43")), tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("second", "share", "told"),
    [
        ("three", "0.43", r"line 16: the page shows 'three'; what came:\none\ntwo\ncellwise 0"),
        ("two", "0.45", r"line 30: the page shows '0.45'; what came:\n0.428571"),
    ],
)
def test_a_changed_output_fails_at_its_line(tmp_path, monkeypatch, second, share, told):
    with pytest.raises(WrongPage, match=told):
        do(page(tmp_path, PAGE.format(second=second, share=share)), tmp_path, monkeypatch)


def test_a_command_that_fails_fails_the_page(tmp_path, monkeypatch):
    with pytest.raises(WrongPage, match=r"(?s)exit code 2.*No such command"):
        do(page(tmp_path, "```\ncellwise rum x | cat\n```\n"), tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```yaml\na: 1\n```\n", "without the name of its file"),
        ("Words.\n\n```text\n1\n```\n", "follows no command"),
        ("<!-- not run: lazy -->\n\n```\nls\n```\n", "none of"),
    ],
)
def test_a_block_of_no_kind_is_refused(text, told):
    with pytest.raises(WrongPage, match=told):
        blocks(text)


def test_what_is_not_run_says_why_and_its_output_is_not_asked_for(tmp_path, monkeypatch):
    text = "<!-- not run: network -->\n\n```\nfalse\n```\n\n```text\nanything\n```\n"
    (command, _) = blocks(text)
    assert command.not_run == "network"
    do(page(tmp_path, text), tmp_path, monkeypatch)


def test_a_file_of_the_examples_has_to_be_that_of_the_repository(tmp_path, monkeypatch):
    text = "`examples/plugin/pyproject.toml`:\n\n```toml\n[project]\n```\n"
    with pytest.raises(WrongPage, match=r"not as in examples/plugin/pyproject.toml"):
        do(page(tmp_path, text), tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("shown", "came", "alike"),
    [
        ("a  b\n\nc", "a b\nc\n", True),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nd", True),
        ("a\n...", "a", True),
        ("...\nb\nc", "b\nx\nb\nc", True),
        ("...\nb\n...\nc", "b\nx\nc\nb", False),
        ("a\nb", "a\nx\nb", False),
        ("a", "a\nb", False),
        ("a\nb", "a", False),
        ("done in ... s · 3 cells", "done in 1 min 4 s · 3 cells", True),
        ("done in ... s · 3 cells", "done in 4 s · 13 cells", False),
        ("macro AP 0.71 (n=12)", "macro AP 0.70 (n=12)", True),
        ("macro AP 0.71 (n=12)", "macro AP 0.69 (n=12)", False),
        ("0.71...", "0.7049", True),
        ("0.71...", "0.6949", False),
        ("10,684 cells", "10,685 cells", False),
    ],
)
def test_outputs_are_compared_line_by_line(shown, came, alike):
    assert (difference(shown, came) == "") == alike

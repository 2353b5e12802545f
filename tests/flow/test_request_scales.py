"""A prediction that an older cellwise began is read as its models were."""

import pytest

from cellwise.flow.request import _keeps_scales


def begun(**options):
    return {"recipe": {"steps": [{"kind": "read", "name": "read", "options": options}]}}


@pytest.mark.parametrize(
    ("scales", "earlier", "kept"),
    [
        # New, and one that holds scales already.
        ({"nucleus": "0..255"}, {}, True),
        ({"nucleus": "0..255"}, begun(scale={"nucleus": "0..255"}), True),
        # Its unsigned images mean the same without, its signed ones do not.
        ({"nucleus": "0..65535"}, begun(layout="auto"), False),
        ({"nucleus": "0..65535", "er": "each"}, begun(layout="auto"), True),
    ],
)
def test_scales_are_asked_for_where_images_would_be_read_otherwise(scales, earlier, kept):
    assert _keeps_scales(scales, earlier) == kept

"""What a check says of fields that show the same."""

import numpy as np
from tests.worlds import draw

from cellwise.flow.alike import alike_said
from cellwise.kernels.fingerprints import fingerprint


def _prints(seed, gain=1.0):
    planes = draw(seed, size=128)
    return {str(k): fingerprint((p * gain / 255).astype(np.float32)) for k, p in enumerate(planes)}


def test_copies_are_named_and_fields_that_could_not_be_decoded_are_not():
    found = {"a": _prints(1), "b": _prints(2), "copy": _prints(1, gain=0.7), "torn": {}}
    (said,) = alike_said(found)
    assert said.startswith("2 fields show the same as another, such as a and copy. ")


def test_fields_that_differ_and_lone_fields_are_no_news():
    assert alike_said({"a": _prints(1), "b": _prints(2)}) == []
    assert alike_said({"a": _prints(1)}) == []
    assert alike_said({}) == []

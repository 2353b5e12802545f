"""The page of a run that only finds cells, with scores against known masks, in a real browser."""

import numpy as np
import pytest
from tests.browser.conftest import writer

from cellwise.app.evaluate import evaluate
from cellwise.domain.records import Masks
from cellwise.store.run.masks import read_masks
from cellwise.store.worlds.truth import write_truth_masks

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def outlines_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outlines")
    made = writer().write_run(folder, classes=(), labels=False)
    for path in sorted((made.run / "masks").glob("*_cells.tif")):
        site = path.name.removesuffix("_cells.tif")
        masks = read_masks(made.run / "masks", site)
        moved = np.roll(masks.cells, 3 * int(site[-1]), axis=0)
        write_truth_masks(folder / "truth", site, Masks(moved, masks.nuclei))
    evaluate(made.run, folder / "truth", draws=20)
    made.html()
    return made


@pytest.fixture
def opened(visit, outlines_run):
    visit.page.goto((outlines_run.run / "report.html").as_uri())
    return visit


def test_it_opens_without_a_complaint_and_without_empty_sections(opened):
    opened.page.wait_for_timeout(300)
    assert opened.errors == []
    assert opened.page.locator("p.empty").count() == 0
    listed = opened.page.locator("nav li a").all_inner_texts()
    assert "Outlines against known masks" in listed
    assert "Labels to doubt" not in listed


def test_a_worst_field_opens_large_with_what_is_wrong(opened):
    opened.page.locator("#known button.enlarge").first.click()
    viewer = opened.page.locator("dialog.viewer")
    assert viewer.is_visible()
    assert "missed" in viewer.inner_text()


def test_the_list_of_fields_can_be_folded(opened):
    table = opened.page.locator("details.rows table")
    assert table.is_visible()
    opened.page.get_by_text("Every field in numbers").click()
    assert not table.is_visible()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_sticks_out_at_any_width(opened, width):
    opened.page.set_viewport_size({"width": width, "height": 800})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width

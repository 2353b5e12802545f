"""Probabilities fitted to cells drawn at random and judged by people, on worlds of known truth."""

import json

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from tests.stages.decide.decide_world import Field, RunMaker

from cellwise.app.audit import audit_run, draw_cells
from cellwise.domain.records import Masks
from cellwise.domain.tables import LABELS, PREDICTIONS
from cellwise.errors import BadOption
from cellwise.measures.calibration import errors, sums_by_bin
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide.spec import Options
from cellwise.store.annotations.draws import read_draw
from cellwise.store.run.masks import write_masks
from cellwise.store.run.tables import read_table, write_table

KEY = ["site_id", "cell_id"]
CLASSES = ("a", "b", "neg")
CELLS = 10


class World:
    """A run whose scores are too sure and shifted, and what its cells show."""

    def __init__(self, folder, *, seed, fields=90):
        self.maker, rng = RunMaker(folder), np.random.default_rng(seed)
        self.run = self.maker.run
        carry = rng.random((fields, 2)) < (0.5, 0.35)
        self.shows = carry[:, None] & (rng.random((fields, CELLS, 2)) < (0.5, 0.4))
        # What a cell shows moves its score; scores are then stretched and moved.
        clear = rng.normal(0, 1, (fields, CELLS, 2)) + np.where(self.shows, 1.2, -1.2)
        scores = 4 * clear + (1.5, 4.0)
        made = []
        for i in range(fields):
            labels = tuple(name for name, one in zip("ab", carry[i], strict=True) if one)
            made.append(Field(f"f{i:03d}", labels or ("neg",), scores[i].tolist(), fold=i % 3))
        self.maker.write(made, classes=CLASSES)
        image = np.zeros((4, 4 * CELLS), np.uint16)
        for cell in range(CELLS):
            image[1:3, 4 * cell + 1 : 4 * cell + 3] = cell + 1
        for one in made:
            write_masks(self.run.masks, one.id, Masks(image, image))
        self.fields = made
        self.maker.decide()

    def judge(self, count, *, seed=0, change=None, **more):
        """Draw cells, have the truth judge them, and take their sheet in; returns its path."""
        sheet = draw_cells(self.run.path, count, seed=seed)
        rows = pl.read_csv(sheet, infer_schema=False).drop("x", "y")
        said = [
            "|".join(self.named(site, int(cell))) or "neg"
            for site, cell in rows.select(KEY).iter_rows()
        ]
        rows = rows.with_columns(pl.Series("classes", said), **more)
        (change(rows) if change else rows).write_csv(sheet)
        audit_run(self.run.path, verdicts=sheet)
        return sheet

    def named(self, site, cell):
        return [n for n, one in zip("ab", self.shows[int(site[1:]), cell - 1], strict=True) if one]

    def decide(self, table, **options):
        """The decision and the predictions, once probabilities were fitted to a table."""
        self.counts = self.maker.decide(annotations=str(table), **options)
        path = self.run.decision("decide")
        return json.loads(path.read_text()), read_table(self.run.predictions, PREDICTIONS)

    def error(self, frame, rows, names=("a", "b", "neg")):
        """The expected calibration error over some rows."""
        truth = np.array(
            [[n in (self.named(s, c) or ["neg"]) for n in names] for s, c in frame[KEY].iter_rows()]
        )
        chance = frame.select([f"Prob_{n}" for n in names]).to_numpy().astype(float)
        sums = sums_by_bin(truth[rows], chance[rows], np.zeros(rows.sum(), np.int64), (1, 10))
        return float(errors(np.ones((1, 1)), *sums)[0][0])

    def drawn(self, frame):
        """`[cell]`: whether chance drew it."""
        cells = read_draw(self.run).drawn.select(KEY).with_columns(drawn=pl.lit(value=True))
        place = frame.select(KEY).join(cells, on=KEY, how="left", maintain_order="left")
        return place["drawn"].fill_null(value=False).to_numpy()


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "run", seed=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_said_of_cells_that_nobody_judged_comes_true_more_often(tmp_path, seed):
    world = World(tmp_path / "run", seed=seed)
    before = read_table(world.run.predictions, PREDICTIONS)
    sheet = world.judge(200)
    decision, after = world.decide(sheet)
    others = ~world.drawn(after)
    assert others.sum() == 700
    assert world.error(after, others) < 0.5 * world.error(before, others)
    assert decision["calibration"] == "audited"
    told = decision["audit"]["classes"]
    assert {name: one["calibration"] for name, one in told.items()} == dict.fromkeys(
        CLASSES, "audited"
    )
    assert {one["judged"] for one in told.values()} == {200}
    marks = pq.read_schema(world.run.predictions).metadata[b"cellwise_calibration"]
    assert json.loads(marks) == dict.fromkeys(CLASSES, "audited")
    assert world.counts["audit"] == decision["audit"]


def test_the_fit_is_that_of_the_formula(world):
    before = read_table(world.run.predictions, PREDICTIONS)
    sheet = world.judge(150)
    _, after = world.decide(sheet)
    drawn = world.drawn(after)
    draw = read_draw(world.run)
    stratum = dict(zip(draw.drawn.select(KEY).rows(), draw.drawn["stratum"], strict=True))
    each = draw.there / np.bincount(draw.drawn["stratum"], minlength=len(draw.there))
    weight = np.array([each[stratum[key]] for key in after[KEY].rows() if key in stratum])
    shows = np.array(["a" in world.named(*key) for key in after.filter(drawn)[KEY].rows()])
    weight *= weight.sum() / (weight**2).sum()
    score = logit(before["Prob_a"].to_numpy().astype(float))
    pull = 1 + 10 / min(shows.sum(), (~shows).sum())

    def cost(at):
        said = np.exp(-at[0]) * score[drawn] + at[1]
        log = np.where(shows, -np.logaddexp(0, -said), -np.logaddexp(0, said))
        return -weight @ log + pull * (at[0] ** 2 / 2 + at[1] ** 2 / 8)

    best = minimize(cost, (0.0, 0.0), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-9})
    said = expit(np.exp(-best.x[0]) * score + best.x[1])
    assert after["Prob_a"].to_numpy()[~drawn] == pytest.approx(said[~drawn], abs=1e-3)


def test_a_verdict_does_not_move_the_probability_of_its_own_cell(tmp_path):
    """Neither by itself nor by those of its group: figures on judged cells stay honest."""
    tables = []
    for turned in (False, True):
        world = World(tmp_path / str(turned), seed=4)

        def change(rows, turned=turned):
            one = rows["site_id"][0]
            other = pl.when(pl.col("classes").str.contains("a")).then(pl.lit("neg"))
            said = pl.when(pl.col("site_id") == one).then(other.otherwise(pl.lit("a")))
            return rows.with_columns(said.otherwise("classes").alias("classes")) if turned else rows

        sheet = world.judge(150, change=change)
        _, frame = world.decide(sheet)
        tables.append(frame.with_columns(drawn=pl.Series(world.drawn(frame))))
    first = pl.read_csv(sheet)["site_id"][0]
    own = [t.filter((pl.col("site_id") == first) & pl.col("drawn"))["Prob_a"] for t in tables]
    assert len(own[0])
    assert own[0].to_list() == own[1].to_list()
    rest = [t.filter(~pl.col("drawn"))["Prob_a"] for t in tables]
    assert (rest[0] != rest[1]).any()


def test_a_class_with_too_few_judged_cells_stays_as_it_was_and_says_why(tmp_path):
    before = World(tmp_path / "one", seed=5)
    world = World(tmp_path / "two", seed=5)

    def change(rows):
        # Of b only a few cells are known: all others were left open.
        some = pl.int_range(pl.len()) < 12
        return rows.with_columns(pl.when(some).then("classes").otherwise(None).alias("classes"))

    decision, frame = world.decide(world.judge(150, change=change))
    was = read_table(before.run.predictions, PREDICTIONS)
    assert frame["Prob_b"].to_list() == was["Prob_b"].to_list()
    told = decision["audit"]["classes"]["b"]
    assert told["calibration"] == decision["calibration"] == "weak"
    assert "judged" in told["why"]


def test_only_some_classes_may_be_audited(world):
    rare = world.judge(200, change=lambda rows: rows.with_columns(
        pl.col("classes").str.replace_all(r"\|?b", "").replace("", "neg")
    ))  # fmt: skip
    was = read_table(world.run.predictions, PREDICTIONS)
    decision, frame = world.decide(rare)
    told = decision["audit"]["classes"]
    assert told["a"]["calibration"] == "audited"
    assert told["b"] == {
        "calibration": "weak", "judged": 200, "seen": 0,
        "why": "0 judged cells show it, 10 are needed",
    }  # fmt: skip
    assert told["neg"]["calibration"] == "weak"
    assert decision["calibration"] == "weak"
    assert (frame["Prob_a"] != was["Prob_a"]).any()
    assert (frame["Prob_b"] == was["Prob_b"]).all()
    # The rule of the negative class stays, over what is said of the others now.
    most = np.maximum(frame["Prob_a"].to_numpy(), frame["Prob_b"].to_numpy())
    assert frame["Prob_neg"].to_numpy() == pytest.approx(1 - most, abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ({"drawn": pl.lit("uncertain")}, "no cell of a random draw was judged"),
        ({"classes": pl.lit("?")}, "0 judged cells"),
    ],
)
def test_cells_that_chance_did_not_draw_or_nobody_is_sure_of_do_not_count(world, rows, why):
    was = read_table(world.run.predictions, PREDICTIONS)
    sheet = world.judge(200, **rows) if "drawn" in rows else world.judge(
        200, change=lambda table: table.with_columns(**rows)
    )  # fmt: skip
    decision, frame = world.decide(sheet)
    assert all(
        why in one["why"] or "none of" in one["why"]
        for one in decision["audit"]["classes"].values()
    )
    assert frame["Prob_a"].to_list() == was["Prob_a"].to_list()
    assert decision["calibration"] == "weak"


def test_cells_whose_verdict_taught_do_not_count(world):
    sheet = world.judge(200)
    cells = read_draw(world.run).drawn.select(KEY)
    labels = cells.with_columns(
        pl.lit([0.0, 1.0], pl.Array(pl.Float32, 2)).alias("label"),
        pl.lit(1.0, pl.Float32).alias("weight"),
        pl.lit("by_hand").alias("reason"),
    )
    write_table(world.run.labels("label"), LABELS, labels, classes=("a", "b"))
    decision, _ = world.decide(sheet)
    assert decision["audit"]["taught"] == 200
    assert "hold_out_random" in decision["audit"]["classes"]["a"]["why"]
    assert decision["calibration"] == "weak"


def test_two_people_count_once_and_contradictions_not_at_all(world):
    def change(rows):
        again = rows.head(30).with_columns(who=pl.lit("ben"), classes=pl.lit("a|b"))
        return pl.concat([rows.with_columns(who=pl.lit("ann")), again])

    sheet = world.judge(200, change=change)
    decision, _ = world.decide(sheet)
    both = pl.read_csv(sheet).head(30)
    agreed = sum("a" in (said or "").split("|") for said in both["classes"])
    assert decision["audit"]["classes"]["a"]["judged"] == 170 + agreed


@pytest.mark.parametrize("by", ["isotonic", "boosting"])
def test_other_deciders_are_fitted_with_the_weights(world, by):
    before = read_table(world.run.predictions, PREDICTIONS)
    sheet = world.judge(300)
    decision, after = world.decide(sheet, audited=by)
    others = ~world.drawn(after)
    assert decision["audit"]["classes"]["a"]["calibration"] == "audited"
    assert world.error(after, others, "ab") < 0.6 * world.error(before, others, "ab")


def test_a_decision_comes_back_as_it_was_written_and_serves_new_images(world, tmp_path):
    content, frame = world.decide(world.judge(200))
    again = Decision.from_json(json.loads(json.dumps(content)))
    assert json.loads(json.dumps(again.to_json())) == content
    new = RunMaker(tmp_path / "new")
    new.write(
        [Field("n", None, world.fields[0].logits, part="unlabelled", fold=None)], classes=CLASSES
    )
    new.decide(fitted=world.run.path)
    told = read_table(new.run.predictions, PREDICTIONS)
    drawn = world.drawn(frame)[:CELLS]
    assert told["Prob_a"].to_numpy()[~drawn] == pytest.approx(
        frame["Prob_a"].to_numpy()[:CELLS][~drawn]
    )


def test_what_cannot_be_audited_is_refused_before_any_work():
    with pytest.raises(BadOption, match="not fitted to judged cells"):
        Options.of({"from": "x", "audited": "in_field"})
    with pytest.raises(BadOption, match="negative_lowers_others"):
        Options.of({"from": "x", "annotations": "t.csv", "negative_lowers_others": True})
    assert Options.of({"from": "x", "audited": "temperature"}).by_cells == {
        "name": "temperature",
        "bias": True,
    }

"""What the steps of cellwise write and read: the nouns of a run folder."""

from cellwise.domain.specs import Noun

# What the frame itself provides.
IMAGES = Noun("images", counts="listing")
FILES = Noun("files", counts="files_of_site", per_site=True, of="sites")
RECIPE = Noun("recipe", counts="recipe")
SET_ASIDE = Noun("set aside", counts="set_aside")
# What people said of cells, as `cellwise audit` and imports keep it.
ANNOTATIONS = Noun("annotations", "annotations/*")
# Labelled fields that a step `curate` of the recipe keeps from teaching; nothing where all teach.
NOT_TEACHING = Noun("fields that do not teach", counts="not_teaching")
PROVIDED = (IMAGES, RECIPE, SET_ASIDE, ANNOTATIONS, NOT_TEACHING)

SITES = Noun("sites", "sites.parquet", counts="site_facts")
FIELD_LABELS = Noun("field labels", counts="field_labels", of="sites")
# Files, places and what else is known of those with a label, for who learns whole sites.
LABELLED_SITES = Noun("labelled sites", counts="labelled_facts", of="sites")
READING = Noun("reading", "reading.json")

MASKS = Noun("masks", "masks", counts="sites", per_site=True, loose=True)
PIXELS = Noun("pixels", "pixels.parquet")
# Brightness of whole sites, one row per site and channel.
STATISTICS = Noun("statistics", "statistics.parquet")
CELLS = Noun("cells", "cells.parquet", counts="sites", per_site=True)
LABELLED_CELLS = Noun("cells of labelled fields", counts="labelled_sites", of="cells")
LABELLED_EMBEDDINGS = Noun(
    "embeddings of labelled fields", counts="labelled_sites", of="embeddings"
)
EMBEDDINGS = Noun("embeddings", "embeddings/{name}", counts="sites", per_site=True)

FINGERPRINTS = Noun("fingerprints", "fingerprints.parquet")
CURATION = Noun("curation", "curation.parquet")

FOLDS = Noun("folds", "folds.parquet")
LABELLED_FOLDS = Noun("folds of labelled fields", counts="labelled_folds", of="folds")
FOLD_OF_SITE = Noun("fold of the site", counts="fold_of_site", per_site=True, of="folds")
SPLIT = Noun("split", "split.json")

LABELS = Noun("labels", "labels/{name}.parquet")
CANDIDATES = Noun("candidates", "labels/*.candidates.parquet", of="labels")
MODELS = Noun("models", "models/{name}/*/model.json", counts="models", learned=True)
SCORES = Noun("scores", "scores/{name}.parquet")
CLASS_MAPS = Noun("class maps", "scores/*.maps.npz", of="scores")

DECISION = Noun("decision", "decisions/{name}.json", learned=True)
FITTED_DECISION = Noun("fitted decision", "decisions/{name}.json", counts="fitted", of="decision")
DECISIONS = Noun("decisions", "decisions/*.json", of="decision")
PREDICTIONS = Noun("predictions", "predictions{suffix}.parquet")
ALL_PREDICTIONS = Noun("predictions", "predictions*.parquet", of="predictions")
WELLS = Noun("wells", "wells*.parquet", of="predictions")

METRICS = Noun("metrics", "metrics.json")
EVALUATION = Noun("evaluation", "evaluation.json")
REPORT = Noun("report", "report.html")

ADAPTED = Noun("adapted statistics", "adapted/{name}.safetensors")
PROFILES = Noun("profiles", "profiles/{name}.parquet")
TREATMENTS = Noun("treatments", "treatments{suffix}.parquet")
ASSIGNMENT = Noun("assignment", "assignments/{name}.json", learned=True)
FITTED_ASSIGNMENT = Noun(
    "fitted assignment", "assignments/{name}.json", counts="fitted", of="assignment"
)

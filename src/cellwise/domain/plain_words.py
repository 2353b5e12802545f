"""Counts, names of figures and codes of problems in words for people."""

from collections import Counter
from collections.abc import Iterable

# What stands after a count of one, and after any other.
_PROBLEMS = {
    "all_saturated": ("field that is saturated all over", "fields that are saturated all over"),
    "animation": ("animated image", "animated images"),
    "brightness_apart": (
        "channel of two groups of brightness",
        "channels of two groups of brightness",
    ),
    "channel_extra": ("channel that other sites lack", "channels that other sites lack"),
    "channel_missing": ("site without one of its channels", "sites without one of their channels"),
    "class_mangled": ("column with dates for classes", "columns with dates for classes"),
    "class_spelling": ("class spelled in several ways", "classes spelled in several ways"),
    "confidence": (
        "row with a confidence that is no number",
        "rows with a confidence that is no number",
    ),
    "colour": ("colour image", "colour images"),
    "cut_row": ("row that is cut off", "rows that are cut off"),
    "dose_unreadable": ("dose that cannot be read", "doses that cannot be read"),
    "duplicate_file": ("site with two files for a channel", "sites with two files for a channel"),
    "duplicate_row": ("row of an id that has one", "rows of ids that have one"),
    "empty_file": ("empty file", "empty files"),
    "folder_twice": ("folder listed once only", "folders listed once only"),
    "image_size": ("row with an impossible size", "rows with impossible sizes"),
    "label_contradiction": ("site with two labels", "sites with two labels"),
    "label_row_malformed": ("broken row of labels", "broken rows of labels"),
    "label_without_image": ("row of labels without an image", "rows of labels without an image"),
    "mask_ambiguous": ("site with several masks", "sites with several masks"),
    "mask_file": ("broken file of masks", "broken files of masks"),
    "mask_ids": ("mask with numbers that are too large", "masks with numbers that are too large"),
    "mask_implausible": ("mask that does not fit its site", "masks that do not fit their sites"),
    "mask_key": ("archive without masks", "archives without masks"),
    "mask_missing": ("site without a mask", "sites without a mask"),
    "mask_pickle": ("mask in a Python file", "masks in Python files"),
    "mask_size": ("mask of another size", "masks of another size"),
    "mask_text": ("mask in text that cannot be read", "masks in text that cannot be read"),
    "mask_turned": ("mask turned unlike its site", "masks turned unlike their sites"),
    "mask_type": ("mask of another number type", "masks of other number types"),
    "mask_unreadable": ("mask that cannot be read", "masks that cannot be read"),
    "mask_values": ("mask without numbered cells", "masks without numbered cells"),
    "missing_row": ("missing row", "missing rows"),
    "multichannel_file": ("file of several channels", "files of several channels"),
    "name_not_text": ("file name that is no text", "file names that are no text"),
    "name_unmatched": ("image with another name", "images with other names"),
    "no_class": ("row without a class", "rows without a class"),
    "no_id": ("row without an id", "rows without an id"),
    "no_row": ("file without rows", "files without rows"),
    "not_found": ("file that is gone", "files that are gone"),
    "pixel_type": ("image of a number type not read", "images of number types not read"),
    "other_answer": ("answer unlike the run's", "answers unlike the run's"),
    "other_size": ("image of another size", "images of another size"),
    "overlap": ("site whose masks overlap", "sites whose masks overlap"),
    "planes_missing": ("file that lacks planes", "files that lack planes"),
    "pixels_oblong": ("site whose pixels are not square", "sites whose pixels are not square"),
    "pixel_size": ("site without a pixel size", "sites without a pixel size"),
    "projection": ("projection beside its stack", "projections beside their stacks"),
    "reader_missing": ("file without an installed reader", "files without an installed reader"),
    "scale_mismatch": (
        "image that does not fit the scale of its channel",
        "images that do not fit the scale of their channel",
    ),
    "segmentation": ("field that could not be segmented", "fields that could not be segmented"),
    "size_mismatch": ("site of unequal image sizes", "sites of unequal image sizes"),
    "time_series": ("site with several time points", "sites with several time points"),
    "too_large": ("image that is too large", "images that are too large"),
    "truncated": ("image that is cut off", "images that are cut off"),
    "turned": ("site whose channels are turned unlike", "sites whose channels are turned unlike"),
    "unknown_class": ("class that is not known", "classes that are not known"),
    "unknown_row": ("row that was not requested", "rows that were not requested"),
    "uneven_series": ("file of unlike images", "files of unlike images"),
    "unreadable": ("image that cannot be read", "images that cannot be read"),
    "unreadable_folder": ("folder that cannot be read", "folders that cannot be read"),
    "well_type_unknown": ("column of unknown well types", "columns of unknown well types"),
    "well_unreadable": ("well whose fields are not known", "wells whose fields are not known"),
    "word_count": ("row without whole triples", "rows without whole triples"),
    "worker_died": ("site with which a worker died", "sites with which a worker died"),
    "z_stack": ("stack of planes", "stacks of planes"),
}
# Letters that stand for words in the names of figures.
_LETTERS = {
    "ap": "average precision",
    "brier": "Brier score",
    "ece": "calibration error",
    "f1": "F1",
    "hpa": "HPA",
    "icc": "intraclass correlation",
    "iou": "overlap",
    "map": "mean average precision",
    "n": "number",
    "ssmd": "SSMD",
}


def figure_said(name: str) -> str:
    """The name of a figure in words: `site_ece` is the site calibration error."""
    return " ".join(_LETTERS.get(word, word) for word in name.split("_"))


def counted(number: float, words: str) -> str:
    """A count and what is counted, given in the plural: `1 site`, `2,000 sites`, `1 field used`.

    A number that is no count stands behind its name: `context gain 0.15`.

    Args:
        number: The count.
        words: The name of the count; its first word in the plural stands for one thing alike.
    """
    plain = words.replace("_", " ")
    if isinstance(number, float) and number % 1:
        return f"{plain} {number:,.3g}"
    return f"{number:,.0f} {_one(plain) if number == 1 else plain}"


def by_number(number: float, one: str, several: str) -> str:
    """The word that goes with a count: `by_number(1, "is", "are")` is `is`."""
    return one if number == 1 else several


def problems_said(codes: Iterable[str]) -> list[str]:
    """How often there is each kind of problem, in words, by code: `2 empty files`."""
    return [
        f"{number:,} {_PROBLEMS[code][number != 1]}"
        if code in _PROBLEMS
        # A code of another package.
        else counted(number, code)
        for code, number in sorted(Counter(codes).items())
    ]


def _one(plain: str) -> str:
    words = plain.split(" ")
    for place, word in enumerate(words):
        if word.endswith("classes"):
            words[place] = word[:-2]
            break
        if word == "nuclei":
            words[place] = "nucleus"
            break
        if word.endswith("s") and not word.endswith("ss"):
            words[place] = word[:-1]
            break
    return " ".join(words)


# What an estimate of false labels says that lies beyond a bound which follows from field labels.
BEYOND_BOUNDS = {
    "above": "above the bound (1): by chance, or some field has no cell that shows its label",
    "surely above": "all of the interval above the bound (1): fields have no cell that shows it",
    "below": "below the bound (2): by chance, or cells show several classes",
    "surely below": "all of the interval below the bound (2): cells show several classes",
}

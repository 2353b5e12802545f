"""Which names of classes are one name in two spellings."""

import re
import unicodedata

# Letters of other scripts that look as Latin ones, and the names of Greek ones.
_LOOKALIKES = str.maketrans("авекмнорстхуіјѕ", "abekmhopctxyijs")
_GREEK = re.compile(r"GREEK (?:SMALL|CAPITAL) LETTER (?:FINAL )?([A-Z]+)$")
# Marks behind a name that say how sure somebody was, or end a line.
_BEHIND = " ?*!.†‡:;,"
# A dose or a size in a name: the comma before decimals, and micro in letters.
_COMMA = re.compile(r"(?<=\d),(?=\d)")
_MICRO = re.compile(r"(?<=\d)\s*mu(?=[mgl]\b)")


def spelled(word: str) -> str:
    """What is left of a class name without case, blanks, underscores and hyphens inside it.

    Marks that nobody sees are left out, letters that look alike are one, and `α` is `alpha`. So are
    question marks and alike behind the name, decimal commas, and `u` for micro behind a number.
    """
    plain = unicodedata.normalize("NFKC", word).casefold().replace("_", " ")
    seen = (sign for sign in plain if unicodedata.category(sign) != "Cf")
    plain = "".join(_named(sign) for sign in seen).translate(_LOOKALIKES).strip(" '\"")
    plain = _MICRO.sub("u", _COMMA.sub(".", plain)).rstrip(_BEHIND)
    plain = re.sub(r"(?<=\w)[\s‐-―-]+(?=\w)", "", plain)
    return str(int(plain)) if plain.isdecimal() else plain or word


def _named(sign: str) -> str:
    match = _GREEK.match(unicodedata.name(sign, ""))
    return match[1].lower() if match else sign

"""Normalise a text for the network and keep the way back to the original offsets.

The network should see one spelling where readers see one meaning: full-width
and half-width forms, traditional and simplified characters, upper and lower
case, typographic variants of quotes and dashes. Every normalised character
knows the original code point it came from, so answers speak of the text as sent.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import opencc

from .errors import TextError

NORMALISATION = "v1"

# One spelling for typographic variants that NFKC leaves apart.
_PUNCTUATION = {
    **dict.fromkeys("“”„‟〝〞＂「」『』", '"'),
    **dict.fromkeys("‘’‚‛｀`´", "'"),
    **dict.fromkeys("—―–−‐‑‒﹣", "-"),
    **dict.fromkeys("～〜∼˜﹏", "~"),
    **dict.fromkeys("【〔〖［", "["),
    **dict.fromkeys("】〕〗］", "]"),
    **dict.fromkeys("｡．", "。"),
    "…": "..",
    "⋯": "..",
}

# ASCII punctuation is written full-width in Chinese text; the encoder knows it best so.
_TO_CHINESE = {",": "，", "!": "！", "?": "？", ";": "；", ":": "：", "(": "（", ")": "）"}

# Emoji outside the encoder's vocabulary, as the character that says the same.
_EMOJI = str.maketrans(
    {
        **dict.fromkeys("😭😢🥲😿😥😓", "哭"),
        **dict.fromkeys("😍🥰😘💕💖💗💓💞🩷🧡💛💚💙💜", "爱"),
        **dict.fromkeys("😋🤤", "馋"),
        **dict.fromkeys("👎💔", "差"),
        **dict.fromkeys("🤮🤢", "吐"),
        **dict.fromkeys("😡🤬😠😤👿💢", "怒"),
        **dict.fromkeys("😞😔😟🙁☹😩😫😣", "愁"),
        **dict.fromkeys("😒🙄😑", "厌"),
        **dict.fromkeys("😅", "汗"),
        **dict.fromkeys("🤣😆", "笑"),
        **dict.fromkeys("😀😃😄😁🙂😊☺🤗🥳🎉", "喜"),
        **dict.fromkeys("👏👍💪🙌", "赞"),
        **dict.fromkeys("🤦🤷", "唉"),
        **dict.fromkeys("💩", "屎"),
        **dict.fromkeys("🔥", "火"),
    }
)


@dataclass(frozen=True, slots=True)
class NormalizedText:
    """`text` as the network sees it; `origins[i]` is the original index of character i."""

    text: str
    origins: Sequence[int]
    original: str

    def original_offset(self, index: int) -> int:
        """The original code point offset of normalised position `index` (its end included)."""
        return self.origins[index] if index < len(self.origins) else len(self.original)


@cache
def _simplified() -> dict[int, str]:
    """Traditional → simplified, character by character so that offsets stay."""
    blocks = (*range(0x3400, 0xA000), *range(0xF900, 0xFB00))
    characters = [chr(code) for code in blocks]
    converted = opencc.OpenCC("t2s").convert("\n".join(characters)).split("\n")
    pairs = zip(characters, converted, strict=True)
    return {ord(a): b for a, b in pairs if a != b and len(b) == 1}


class _CharacterTable(dict[str, str]):
    """Character → its normal form, computed once for each character met."""

    def __missing__(self, character: str) -> str:
        # Bounded: an endless variety of rare characters must not fill the memory.
        if len(self) > 50_000:
            self.clear()
        form = self[character] = _normal_form(character)
        return form


def _normal_form(character: str) -> str:
    if character in _PUNCTUATION:
        return _PUNCTUATION[character]
    if character.isspace():
        return "\n" if character in "\n\r\v\f\x85\u2028\u2029" else " "
    form = unicodedata.normalize("NFKC", character).lower()
    visible = (_without_accent(c) for c in form if not _is_invisible(c))
    chinese = (" " if c.isspace() else _TO_CHINESE.get(c, c) for c in visible)
    return "".join(chinese).translate(_simplified())


def _without_accent(character: str) -> str:
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() else character


def _is_invisible(character: str) -> bool:
    """Accents, joiners, variation selectors, skin tones, control characters."""
    category = unicodedata.category(character)
    if category == "Cn" and _FIRST_EMOJI <= character <= _LAST_EMOJI:
        return False  # newer than this Python: 3.11 does not know 🩷
    return category in {"Mn", "Me", "Cc", "Cf", "Cs", "Co", "Cn"} or (
        "\U0001f3fb" <= character <= "\U0001f3ff" or character == "\ufffd"
    )


# The blocks of pictographs, with room for more.
_FIRST_EMOJI, _LAST_EMOJI = "\U0001f300", "\U0001faff"

_table = _CharacterTable()
# Begins with what is rare: a lookbehind in front would be tried at every character.
_INSIDE_NUMBER = re.compile(r"[，：](?<=[0-9].)(?=[0-9])")


def spell_out_emoji(text: str) -> str:
    """`text` with the commonest emoji as the character that says the same; offsets stay."""
    return text.translate(_EMOJI)


def normalize(text: str) -> NormalizedText:
    """Return the normal form of `text` with the map back to it.

    Raises:
        TextError: `text` is blank, holds nothing that can be read, or holds a
            lone surrogate (it is not valid Unicode).
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TextError(
            f"the text is not valid Unicode: lone surrogate at position {error.start}"
        ) from None
    forms = list(map(_table.__getitem__, text))
    normal = "".join(forms)
    if len(normal) == len(text) and all(forms):
        origins: Sequence[int] = range(len(text))
    else:
        origins = [i for i, form in enumerate(forms) for _ in form]
    if not normal.strip():
        raise TextError("the text is blank")
    return NormalizedText(_keep_numbers(normal), origins, text)


def _keep_numbers(text: str) -> str:
    """Undo full-width punctuation inside numbers and addresses: 3,999 and 18:40."""
    return _INSIDE_NUMBER.sub(lambda found: "," if found[0] == "，" else ":", text)

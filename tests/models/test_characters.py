"""The table of characters gives the library's tokens, whatever the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from models.artifact import TOKENIZER
from models.characters import CharacterEncoder
from models.text import spell_out_emoji
from tests.conftest import RELEASED

LIBRARY = Tokenizer.from_file(str(RELEASED / TOKENIZER))
ENCODER = CharacterEncoder.of(LIBRARY)

UGLY = [
    "",
    " ",
    "很好",
    "iPhone15Pro max好用,3,999元!!",
    "ａｂｃ１２３ ㍿ ﬁ ½ ①",
    "e\u0301 cafe\u0301 Ångström ñandú",
    "好\u200b吃\u200d\ufeff吗\x00\x07",
    "a\x00b好\x00",
    "👍👍🏽👨‍👩‍👧好評😭",
    "한국어 にほんご カタカナ ภาษาไทย עברית",
    "[CLS]很好[SEP][MASK] [pad]",
    "x" * 101 + "好" + "9" * 250,
    "――——……～〜“”‘’「」",
    "𠮷野家\U0002a6d6\u3400\uf900",
    "\u0301\u0302好\u0e33",
    "\t\n\u3000\xa0 很 \u2028好",
]


def expected(text: str) -> tuple[list[int], list[int]]:
    encoding = LIBRARY.encode(text, add_special_tokens=False)
    return encoding.ids, [start for start, _ in encoding.offsets]


def encoded(text: str) -> tuple[list[int], list[int]]:
    assert ENCODER is not None
    ids, starts = ENCODER.encode(text)
    return list(ids), list(starts)


@pytest.mark.parametrize("text", UGLY)
def test_ugly_texts_have_the_librarys_tokens(text: str) -> None:
    assert encoded(text) == expected(text)
    assert encoded(spell_out_emoji(text)) == expected(spell_out_emoji(text))


@given(st.text())
def test_any_text_has_the_librarys_tokens(text: str) -> None:
    assert encoded(text) == expected(text)


@given(st.lists(st.sampled_from([*"好吃但0aZ，。 ~[]#", "\u0301", "👍", "ab", "\x00"])))
def test_any_mixture_has_the_librarys_tokens(parts: list[str]) -> None:
    assert encoded("".join(parts)) == expected("".join(parts))


def test_a_tokenizer_of_another_kind_has_no_such_table() -> None:
    assert CharacterEncoder.of(Tokenizer(WordLevel({"[UNK]": 0}, "[UNK]"))) is None

"""Normalisation: one spelling for one meaning, and the way back to the original."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import TextError
from models.text import normalize, spell_out_emoji


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("這部電影不壞", "这部电影不坏"),
        ("ＡＢＣ１２３", "abc123"),
        ("好,真好!", "好，真好！"),
        ("“好”", '"好"'),
        ("Café", "cafe"),
        ("cafe\u0301", "cafe"),
        ("好…", "好.."),
        ("㎏", "kg"),
        ("한국", "한국"),
    ],
)
def test_spellings_of_one_meaning_become_one(written, normal):
    assert normalize(written).text == normal


def test_commas_and_colons_inside_numbers_stay():
    assert normalize("3,999元，18:40送到").text == "3,999元，18:40送到"


def test_joiners_skin_tones_and_variation_selectors_leave_no_trace():
    assert normalize("👍🏻好\u200d\ufe0f").text == "👍好"


def test_an_emoji_newer_than_this_python_is_seen():
    assert spell_out_emoji(normalize("这家店🩷").text) == "这家店爱"
    assert normalize("\U0001fadf").text == "\U0001fadf"  # Unicode 16


def test_the_commonest_emoji_are_spelt_out_in_place():
    text = "好吃👍😋"
    assert spell_out_emoji(text) == "好吃赞馋"


@pytest.mark.parametrize("blank", ["", "   ", "\n\t", "\u200b", "\ufe0f\u200d", "\ufffd"])
def test_a_text_with_nothing_to_read_is_refused(blank):
    with pytest.raises(TextError, match="blank"):
        normalize(blank)


def test_a_lone_surrogate_is_refused_with_its_position():
    with pytest.raises(TextError, match="lone surrogate at position 2"):
        normalize("很好\ud83d")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_every_normal_character_knows_where_it_came_from(text):
    try:
        normalized = normalize(text)
    except TextError:
        return
    assert len(normalized.origins) == len(normalized.text)
    assert list(normalized.origins) == sorted(normalized.origins)
    assert normalized.original_offset(len(normalized.text)) == len(text)
    for position, character in enumerate(normalized.text):
        written = text[normalized.original_offset(position)]
        # Behind a character, so that none is refused as blank.
        assert character in normalize(f"好{written}").text or character in ",:"  # 3,999 and 18:40

"""What was said and what was heard are compared as they sound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audio.agreement import normal, states, word_error
from gateway.audio.numbers import MONTHS, ORDINALS, POWERS, TENS, UNITS

SAME = [
    ("nine pm", "9 p.m.", "9pm", "9:00 PM", "nine in the evening", "9 o'clock in the evening"),
    ("nine o'clock", "9:00", "9 o\u2019clock"),
    ("a quarter past nine", "quarter past 9", "9:15", "nine fifteen", "9 15"),
    ("half past seven", "7:30", "seven thirty", "half past 7"),
    ("quarter to five", "a quarter to 5", "4:45", "four forty-five"),
    ("ten to one", "ten minutes to one", "12:50"),
    ("at twenty past two in the morning", "at 2:20 a.m.", "at 2.20 am"),
    ("twenty-four pounds", "£24", "24 pounds", "£24.00"),
    ("one thousand two hundred and fifty dollars", "$1,250", "1250 dollars"),
    ("three million euros", "€3 million", "3,000,000 euros"),
    ("a hundred metres", "one hundred meters", "100 m", "100m"),
    ("one hundred and eighteen miles an hour", "118 mph", "118 miles an hour"),
    ("three and a half tonnes", "3.5 tons", "3 and a half tons", "three point five tonnes"),
    ("eighteen fifty-seven", "1857"),
    ("nineteen oh five", "1905", "nineteen o five"),
    ("ten sixty-six", "1066"),
    ("two thousand and nine", "2009"),
    ("twenty twenty-eight", "2028"),
    ("the first of October 1857", "1 October 1857", "October 1st, 1857", "October the first, eighteen fifty-seven"),
    ("the thirty-first of January", "31 January", "January 31st"),
    ("the twelfth, the twenty-second and the thirtieth", "the 12th, the 22nd and the 30th"),
    ("nine thousand people", "9,000 people", "9000 people"),
    ("seven hundred and fifty thousand", "750,000", "750 thousand"),
    ("two hundred and five days", "205 days"),
    ("sixteen per cent", "16%", "16 percent"),
    ("I won't, I can't, it's grey.", "i will not I cannot it is gray"),
    ("The tea room\u2019s harbour colour was cancelled", "the tea rooms harbor color was canceled"),
    ("It opens at nine thirty.", "it opens at 930", "it opens at 9.30", "it opens at 9:30"),
    ("until four fifteen in the afternoon", "until 415 in the afternoon", "until 4.15 pm", "until 4:15 p.m."),
    ("seven pounds fifty", "£7.50", "7 pounds and 50 pence", "seven pounds and fifty pence"),
    ("two thousand four hundred and twelve seals", "2,412 seals", "2,400 and 12 seals"),
    ("well-known", "well known"),
    ("\uff21\uff22", "ab"),
]
OTHER = [
    ("from ten to five", "4:50"),
    ("at nine, fifteen people", "9:15 people"),
    ("one, two", "1:02"),
    ("nine am", "nine pm"),
    ("May I come in?", "1 May"),
    ("twenty-four", "twenty, four"),
    ("sixty thirty", "6:30"),
    ("half to five", "4:30"),
    ("£24", "$24"),
    ("3.30", "3:30"),
    ("twelve", "12th"),
    ("thirteen in the morning", "1:00 am"),
    ("a hundred", "a thousand"),
    ("at 250 metres", "at 2:50 metres"),
    ("in 930", "in 9:30"),
    ("by 975", "by 9:75"),
    ("between 100 and 50", "between 150"),
    ("seven pounds and fifty people", "£7.50 people"),
]


@pytest.mark.parametrize("forms", SAME, ids=lambda forms: forms[0])
def test_what_sounds_the_same_is_the_same(forms: tuple[str, ...]) -> None:
    """However it is written."""
    assert [(form, normal(form)) for form in forms] == [(form, normal(forms[0])) for form in forms]


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_sounds_different_is_not(one: str, other: str) -> None:
    """A rule that takes two for one would hide an error."""
    assert normal(one) != normal(other)


@pytest.mark.parametrize("forms", SAME, ids=lambda forms: forms[0])
def test_a_form_is_its_own(forms: tuple[str, ...]) -> None:
    """What is in its one form already stays as it is."""
    for form in forms:
        once = " ".join(normal(form))
        assert " ".join(normal(once)) == once


def written(number: int) -> str:
    """A number in words, as the British say it."""
    if number < 20:
        return next(word for word, value in UNITS.items() if value == number)
    if number < 100:
        tens = next(word for word, value in TENS.items() if value == number // 10 * 10)
        return f"{tens}-{written(number % 10)}" if number % 10 else tens
    power, word = next((power, word) for word, power in reversed(POWERS.items()) if number >= power)
    rest = number % power
    joins = " and " if 0 < rest < 100 else " "
    return f"{written(number // power)} {word}" + (f"{joins}{written(rest)}" if rest else "")


@given(st.integers(0, 999_999_999))
def test_every_number_is_itself(number: int) -> None:
    """In words and in figures."""
    assert normal(written(number)) == normal(f"{number:,}") == [str(number)]


@given(st.integers(1100, 1999).filter(lambda year: year % 100 > 9))
def test_every_year_is_itself(year: int) -> None:
    """Said in two halves, but for those that are a time of day."""
    if year >= 1300 or year % 100 > 59:
        assert normal(f"{written(year // 100)} {written(year % 100)}") == [str(year)]


@given(st.integers(1, 12), st.integers(1, 59))
def test_every_time_is_itself(hour: int, minute: int) -> None:
    """Said by the hour, before and after it."""
    time = [f"{hour}:{minute:02}"]
    assert normal(f"{written(minute)} minutes past {written(hour)}") == normal(time[0]) == time
    assert normal(f"{written(60 - minute)} minutes to {written(hour % 12 + 1)}") == time
    if minute > 9:
        assert normal(f"{written(hour)} {written(minute)}") == time


@given(st.text(st.sampled_from("0123456789 ,.:£$%'-ah")) | st.text())
def test_any_text_has_a_form(text: str) -> None:
    """Whatever it is, and never a space or a capital letter in a word."""
    assert all(word and word == word.lower() and " " not in word for word in normal(text))


WORDS = [*UNITS, *TENS, *POWERS, *ORDINALS, *MONTHS, "a", "and", "half", "past", "to", "the", "of", "oh", "pm", "point"]


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_numbers_of_any_kind_in_any_order_have_a_form(words: list[str]) -> None:
    """No rule trips over another one, and a fact that is all of a text is stated in it."""
    text = " ".join(words)
    assert states(text, text) == bool(words)
    assert word_error(text, text) == 0


@pytest.mark.parametrize("text", ["", " ", "...", "!?", "\u2014", "\U0001f600"])
def test_without_words_there_is_nothing(text: str) -> None:
    """Marks and pictures are not spoken."""
    assert normal(text) == []


@pytest.mark.parametrize("text", ["and a half", "oh", "point five", "a", "the", "a quarter past", "9.", "hundred and"])
def test_a_rule_that_is_not_met_takes_nothing_away(text: str) -> None:
    """Its words stay, in their order."""
    assert len(normal(text)) == len(text.split())


@pytest.mark.parametrize(
    ("said", "heard", "error"),
    [
        ("The lamp is lit at dusk.", "the lamp is lit at dusk", 0.0),
        ("The lamp is lit at dusk.", "The lamp was lit at dusk", 1 / 6),
        ("The lamp is lit at dusk.", "lamp is lit dusk", 2 / 6),
        ("The lamp is lit.", "The old lamp is lit", 1 / 4),
        ("Yes.", "", 1.0),
        ("Yes.", "yes yes yes yes", 3.0),
        ("", "", 0.0),
        ("", "you", 1.0),
    ],
)
def test_the_word_error(said: str, heard: str, error: float) -> None:
    """Words changed, left out and put in, by the words that were said."""
    assert word_error(said, heard) == pytest.approx(error)


@pytest.mark.parametrize(
    ("heard", "fact"),
    [
        ("The last boat goes back at 7:30, I think.", "half past seven"),
        ("It opens at 9 p.m. every day.", "nine"),
        ("Children under 4 travel free.", "children under four"),
        ("Twelve pounds, for children.", "twelve pounds for children"),
        ("Write to Ruth Emrie.", "Ruth Imrie"),
        ("all of their money comes back", "all their money back"),
        ("The cook and the boy of 15 were lost.", "the cook and the boy"),
        ("one, no: two hundred and twelve pups", "212 pups"),
        ("the boat the boat leaves", "the boat leaves"),
    ],
)
def test_a_fact_is_stated(heard: str, fact: str) -> None:
    """In its order, with a word or two between, one letter of a long word misheard, or begun twice."""
    assert states(heard, fact)


@pytest.mark.parametrize(
    ("heard", "fact"),
    [
        ("The last boat goes back at 7:15.", "half past seven"),
        ("Thirteen pounds for children.", "twelve pounds for children"),
        ("pounds twelve", "twelve pounds"),
        ("It costs twelve of what I would call good old pounds.", "twelve pounds"),
        ("The boat goes.", "the coat goes"),
        ("Ruth Emery", "Ruth Imrie"),
        ("anything", ""),
        ("", "anything"),
        ("money", "money back"),
    ],
)
def test_a_fact_is_not_stated(heard: str, fact: str) -> None:
    """Another number, another order, too far apart, a short word misheard, a part of it; and nothing is no fact."""
    assert not states(heard, fact)

from main import count_words


def test_words_are_counted_without_case_and_marks():
    assert count_words("One fish, two fish. Red fish!")["fish"] == 3


def test_nothing_has_no_words():
    assert not count_words(" . ")

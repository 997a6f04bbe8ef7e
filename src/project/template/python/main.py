"""Counts the words of a text, the most frequent first."""

import sys
from collections import Counter


def count_words(text: str) -> Counter[str]:
    words = (word.strip(".,;:!?\"'()").lower() for word in text.split())
    return Counter(word for word in words if word)


def main() -> None:
    for word, times in count_words(sys.stdin.read()).most_common(10):
        print(f"{times:5}  {word}")


if __name__ == "__main__":
    main()

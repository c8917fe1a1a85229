import argparse


def parse_arguments():
    parser = argparse.ArgumentParser(description="Count words in files.")
    parser.add_argument("files", nargs="+", help="files to read")
    parser.add_argument("--top", type=int, default=10, help="words to print")
    parser.add_argument("--ignore-case", act<|cursor|>)
    return parser.parse_args()


def count_words(text, ignore_case):
    if ignore_case:
        text = text.lower()
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts

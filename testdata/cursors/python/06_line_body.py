def is_palindrome(text):
    """Tell whether text reads the same backwards, ignoring case and spaces."""
    <|cursor|>


def longest_palindrome(words):
    """Return the longest palindrome among words, or None."""
    best = None
    for word in words:
        if is_palindrome(word) and (best is None or len(word) > len(best)):
            best = word
    return best

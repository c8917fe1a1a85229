def binary_search(items, wanted):
    """Return the index of wanted in sorted items, or -1."""
    low, high = 0, len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        if items[middle] == wanted:
            return middle
        elif items[mid<|cursor|>
            low = middle + 1
        else:
            high = middle - 1
    return -1

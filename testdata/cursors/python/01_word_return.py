"""Moving averages of a list of readings."""


def moving_average(values, width):
    """Return the mean of each window of width values."""
    if width <= 0:
        raise ValueError("width must be positive")
    means = []
    total = 0.0
    for i, value in enumerate(values):
        total += value
        if i >= width:
            total -= values[i - width]
        if i >= width - 1:
            means.append(total / width)
    retu<|cursor|>


def largest_step(values):
    """Return the largest difference between neighbours."""
    return max(abs(b - a) for a, b in zip(values, values[1:]))

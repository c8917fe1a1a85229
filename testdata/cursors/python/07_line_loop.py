import csv


def read_rows(path):
    """Yield each row of a CSV file as a dictionary."""
    with open(path, newline="") as f:
        for row in csv.DictReader(f):
            yield row


def total_by(path, key, value):
    """Sum the column value for each distinct entry of the column key."""
    totals = {}
    for row in read_rows(path):
        <|cursor|>
    return totals

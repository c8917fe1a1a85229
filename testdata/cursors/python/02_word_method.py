import json
from pathlib import Path


class Settings:
    """Settings kept in a JSON file."""

    def __init__(self, path):
        self.path = Path(path)
        self.values = {}

    def load(self):
        if self.path.exists():
            self.values = json.lo<|cursor|>

    def save(self):
        self.path.write_text(json.dumps(self.values, indent=2))

    def get(self, name, default=None):
        return self.values.get(name, default)

"""A small shop's inventory: what is there, and what has to be ordered."""

from dataclasses import dataclass


@dataclass
class Item:
    name: str
    price: float
    quantity: int
    minimum: int = 5

    def total(self):
        return self.price * self.quantity


class Inventory:
    def __init__(self):
        self.items = {}

    def add(self, item):
        self.items[item.name] = item

    def total_value(self):
        """What everything in the shop is worth."""
        return sum(item.total() for item in self.it<|cursor|>

    def to_order(self):
        """Names of the items of which too few are left."""
        return [item.name for item in self.items.values() if item.quantity < item.minimum]


if __name__ == "__main__":
    inventory = Inventory()
    inventory.add(Item("apple", 0.5, 100))
    inventory.add(Item("pear", 0.75, 3))
    print(inventory.total_value())
    print(inventory.to_order())

class Graph:
    """A directed graph as adjacency lists."""

    def __init__(self):
        self.edges = {}

    def add(self, a, b):
        self.edges.setdefault(a, []).append(b)
        self.edges.setdefault(b, [])

    def reversed(self):
        graph = Graph()
        for a, targets in self.edges.items():
            for b in targets:
                graph.add(b, a)
        return graph

    def sources(self):
        """Return the nodes that no edge leads to."""
        targets = {b for bs in self.edges.values() for b in bs}
        return [<|cursor|>]

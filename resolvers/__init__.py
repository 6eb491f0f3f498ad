"""The graph: edges, computed facts, loaders and roots."""

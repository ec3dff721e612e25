"""One GraphQL graph over game and virtual-world inventories."""

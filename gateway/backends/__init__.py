"""Backends that serve any provider: the local one, over rules and a store, and the one that guards all others."""

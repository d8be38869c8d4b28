"""Checks of published numbers against each other: what cannot be, and what needs an explanation."""

"""Plots: each is a layout (plain data), a scene (marks in points) and a thin drawing of that scene."""

"""Bayesian models: effects and a prior in, a posterior out."""

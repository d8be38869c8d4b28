"""Multilevel and multivariate models: several effects per study, dependent sampling errors, structured spread."""

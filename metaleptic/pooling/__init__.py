"""Frequentist models: effects in, one pooled result out."""

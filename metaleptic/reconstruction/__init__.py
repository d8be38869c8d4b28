"""From curves and published numbers back to patients."""

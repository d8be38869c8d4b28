"""From individual patients to survival summaries."""

"""From an analysis file to the page in which every number carries its origin."""

"""What papers print, turned into effects with a variance: one file per kind of number."""

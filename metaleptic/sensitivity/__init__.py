"""What the result hangs on: a result in, many results out."""

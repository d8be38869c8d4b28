"""Scripts that cut golden values out of a reference folder are no tests: two of one name cannot be collected together."""

collect_ignore_glob = ["*/golden/extract.py"]

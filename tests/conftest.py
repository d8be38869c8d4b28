"""What all tests share.

Scripts that cut golden values out of a reference folder are no tests: two of one name cannot be collected together.
Hypothesis draws the same examples in every run; ``--hypothesis-seed`` draws others.
"""

from hypothesis import settings

collect_ignore_glob = ["*/golden/extract.py"]
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

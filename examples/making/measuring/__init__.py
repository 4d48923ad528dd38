"""The parts of `five_folds.py` and `evasions.py`:

steps.py    commands that are run once: what is finished is not done again
clusters.py how good clusters and links are, for the ads of one fold
study.py    the commands of the five folds
data.py     the files that they read
found.py    what these commands left on disk, read back
tables.py   the report of the five folds
sellers.py  what sellers do to an ad so that it is not known again
"""

"""The parts of `make_results.py`, in the order in which they build on each other:

markdown.py     tables, lists and commands as text
commands.py     the plan, and every command that it takes
on_disk.py      what those commands leave, read back
standings.py    how the systems stand on the test pairs
comparisons.py  which beats which, and what photos and words add
lengths.py      by the length of the descriptions
report.py       the whole report, section by section
document.py     the report as one part of a document
"""

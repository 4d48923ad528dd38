"""The thesis's pictures (chapter 4) and a few more: arrays in, a matplotlib `Figure` out, and `save`.

Nothing here goes through pyplot or leaves a trace in matplotlib's global settings. Every picture can be read in print
and without colour: models differ in line, marker and hatch too.
"""

"""The commands: the only folder that prints, exits, or knows click and rich. `main.py` is where they begin."""

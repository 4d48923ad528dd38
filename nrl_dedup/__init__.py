"""nrl-dedup: finds ads that describe the same thing, from their words and their photos."""

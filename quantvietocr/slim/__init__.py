"""A trained network made narrower: which channels stay, and weights that make up for those that go."""

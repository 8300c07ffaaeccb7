"""The base of the errors that are for people."""


class UserError(ValueError):
    """One sentence: what, where, what to do. Commands print it and exit 2; anything else is a defect and shows its
    traceback."""

"""The base of the errors that are for people, and the one interruption that has no class of its own in Python."""


class UserError(ValueError):
    """One sentence: what, where, what to do. Commands print it and exit 2; anything else is a defect and shows its
    traceback."""


class Terminated(KeyboardInterrupt):
    """SIGTERM stopped a verb. It is handled like Ctrl-C, but the process ends with 128 + 15, as systemd, Slurm and
    Docker expect."""

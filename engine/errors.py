"""What a person can mend: the command line turns these into one line and exit code 2."""


class InputError(ValueError):
    """The input or the usage is at fault; the message is one line: found where, expected, remedy."""

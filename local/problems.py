"""What can keep the stack from starting; `make run` prints the text as a sentence, and ends."""


class CannotStart(Exception):
    """Root of what a person can do something about; its text says what is wrong, and where."""

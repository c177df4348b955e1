"""What other people's code says when it stops, in one line of a message of ours."""


def first_line(fault: Exception | None) -> str:
    """Give an exception's kind and the first line of what it says; torch's go on for pages."""
    lines = str(fault).strip().splitlines()
    return f"{type(fault).__name__}: {lines[0] if lines else ''}"

"""How results show themselves: by `print` in words, and the same in a notebook."""


class Printed:
    """A result whose `str` is a page for a person; notebooks show that page too."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        import html  # where it is used: importing the package loads little

        return f"<pre>{html.escape(str(self))}</pre>"

"""One HTML file to look at fields with: point at a value to see its pixels, at a pixel to see its values.

The file holds everything: the table, the exact pixels of every value of every layer shown, the script that
draws them. It loads nothing and needs no server.
"""

from corr2d.plots.field_page.page import field_page

__all__ = ["field_page"]

"""SQL statements of a mapping: parsed, judged, bound, shaped into pages, joined.

What is sent is always made from the tree that was judged, never from the text that was written.
"""

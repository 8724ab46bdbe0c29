"""SQL statements of a mapping: parsed, judged, bound, shaped into pages, joined. No statement leaves in another form than
that of its tree."""

"""The headless runtime: carries out saved mappings on schedule, on callbacks and on request."""

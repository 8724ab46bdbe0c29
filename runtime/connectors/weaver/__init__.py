"""Weaver e-cology 9 (泛微): workflow requests, forms, mode data (建模)."""

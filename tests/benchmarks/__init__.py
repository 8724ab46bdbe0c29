"""Benchmarks: figures measured here and now, as ratios where a target is a ratio. ``make bench`` prints them."""

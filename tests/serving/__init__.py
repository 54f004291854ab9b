"""A package, since benchmarks/serving.py would hide a folder of this name."""

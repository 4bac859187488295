"""Backbones, heads, features, training and explanation."""

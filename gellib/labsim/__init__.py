"""Simulated images, pretraining on them, zero-shot prediction."""

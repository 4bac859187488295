"""gellib: which transfer-learning set-up works on your images?"""

__version__ = "0.1.0"

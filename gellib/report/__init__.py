"""What is said of runs: comparison, conclusions, summary, widgets, trackers."""

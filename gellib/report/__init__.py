"""Reports about runs: comparison, conclusions, summary, widgets, trackers."""

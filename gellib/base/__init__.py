"""What every wing may use: texts, files, seeds, cached facts."""

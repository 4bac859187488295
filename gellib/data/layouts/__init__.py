"""How image folders and tables of labels are laid out on disk."""

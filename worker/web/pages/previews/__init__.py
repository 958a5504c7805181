"""What a browser may see of an artifact's content: text, tables, plots and pictures."""

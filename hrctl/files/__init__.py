"""Files that several processes share: replaced as a whole, and locked with a limit."""

"""The grid: which nodes serve, and which of them a key or a request goes to."""

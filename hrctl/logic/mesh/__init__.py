"""The mesh: which route answers a request, and which destination it goes to."""

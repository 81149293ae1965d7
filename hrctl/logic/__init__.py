"""Rules of the kinds that run: pure functions of what is declared, without input or output."""

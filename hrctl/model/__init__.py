"""The declared platform as pure data: no file, no process and no network is touched here."""

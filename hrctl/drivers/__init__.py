"""One real system a file. `api` is the protocol, `contract` the tests that every driver passes."""

"""What an age plugin may ask a person while it works."""

from __future__ import annotations

from typing import Protocol


class Person(Protocol):
    """Someone at a terminal, or nobody: then every question has the answer None."""

    def tell(self, text: str) -> None:
        """Show a message: touch the key, insert the card."""
        ...

    def ask(self, question: str, *, secret: bool) -> str | None:
        """A line that is typed, without echo where it is secret."""
        ...


class Nobody:
    """A `Person` that is not there."""

    def tell(self, text: str) -> None:
        """Nobody listens."""

    def ask(self, question: str, *, secret: bool) -> str | None:
        """Nobody answers."""
        del question, secret
        return None


_person: Person = Nobody()


def set_person(person: Person) -> None:
    """Say who answers from now on."""
    global _person  # noqa: PLW0603 - one process has one terminal
    _person = person


def person() -> Person:
    """Who answers."""
    return _person


class _Callbacks:
    """The protocol that pyrage expects of a plugin's user interface."""

    def display_message(self, message: str) -> None:
        _person.tell(message)

    def confirm(self, message: str, yes: str, no: str | None) -> bool | None:
        answer = _person.ask(f"{message} [{yes}/{no or 'no'}]", secret=False)
        return None if answer is None else answer.strip().lower() in {yes.lower(), "y", "yes"}

    def request_public_string(self, description: str) -> str | None:
        return _person.ask(description, secret=False)

    def request_passphrase(self, description: str) -> str | None:
        return _person.ask(description, secret=True)


def callbacks() -> _Callbacks:
    """What is handed to pyrage."""
    return _Callbacks()

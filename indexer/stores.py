"""Opening the store for a command, and finding banks in it by name."""

from engine.errors import InvalidInputError
from engine.policy import Bank
from engine.store import StoreReader


def find_bank(store: StoreReader, name: str) -> Bank | None:
    """The bank of that name."""
    return next((bank for bank in store.banks() if bank.name == name), None)


def require_bank(store: StoreReader, name: str) -> Bank:
    """The bank of that name.

    Raises:
        InvalidInputError: there is none.
    """
    bank = find_bank(store, name)
    if bank is None:
        names = ", ".join(bank.name for bank in store.banks())
        raise InvalidInputError(
            name,
            f"no such bank; there are: {names}"
            if names
            else "the store has no bank yet; `banks create` makes one",
        )
    return bank

"""Who used an AI: decided of one record alone, the same for all senders."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

SHARED_KEYS = ("default_user_id", "svc-*")
NOBODYS_OWNER = "default_user_id"
FORGOTTEN = "(forgotten)"


def user_of(
    owner: str | None,
    end_user: str | None,
    key_alias: str | None,
    no_person: str | None,
    shared_keys: Iterable[str] = SHARED_KEYS,
) -> str | None:
    """The key's owner; of a key that many share, and of one without owner, the end user."""
    if no_person:
        return f"({no_person})"
    is_shared = owner is not None and any(fnmatchcase(owner, key) for key in shared_keys)
    if (owner is None or is_shared) and end_user:
        return told_id(end_user)
    if key_alias and owner in (None, NOBODYS_OWNER):
        return f"(service) {key_alias}"
    return told_id(owner)


def told_id(name: str | None) -> str | None:
    """Names in brackets are the reports' own; who is forgotten bears one of them already."""
    return f"user {name}" if name and name.startswith("(") and name != FORGOTTEN else name


def is_person(user: str | None) -> bool:
    """Nobody known, a service and a health check are no active users; who is forgotten was one."""
    return user is not None and (user == FORGOTTEN or not user.startswith("("))


def is_nobodys(user: str | None) -> bool:
    """Whether a delivery tells that no person of this name asked, nor a service."""
    return user is not None and user.startswith("(") and not user.startswith("(service) ")

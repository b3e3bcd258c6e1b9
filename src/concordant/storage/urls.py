"""Which database, for messages: never with a password."""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["scrubbed", "without_password"]

_NAME = r"((?://|^[a-z+]*:)[^/@:?#]*)"
_USER = re.compile(_NAME + r":[^/?#]+@|" + _NAME + r":.+@|" + _NAME + r":(?![0-9]+(?:[/?,]|$))[^/?#@]+$", re.DOTALL)
_SETTING = re.compile(
    r"""((?:pass|pw|secret|token|key)[a-z_]*\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&;]+)""", re.IGNORECASE | re.DOTALL
)


def without_password(url: str) -> str:
    """Returns a url, or whatever was meant as one, without what may be a secret in it.

    >>> without_password("postgresql://ada:hunter2@host/team?sslpassword=hunter3")
    'postgresql://ada@host/team?sslpassword=...'
    >>> without_password("host=db password='hunter 2' user=ada")
    'host=db password=... user=ada'
    """
    return _SETTING.sub(r"\1...", _USER.sub(lambda found: f"{found[1] or found[2] or found[3]}@", url))


def scrubbed(text: str, url: str) -> str:
    """Tells what a driver said of a url, without what may be a secret in it, or a part of one.

    >>> scrubbed('invalid port "hun" in "bob:hun/ter2@db"', "postgresql://bob:hun/ter2@db")
    'invalid port "..." in "bob:...@db"'
    """
    for secret in _secrets(url):
        text = text.replace(secret, "...")
    return text


def _secrets(url: str) -> list[str]:
    found = [match[0][len(match[1] or match[2] or match[3]) + 1 :].removesuffix("@") for match in _USER.finditer(url)]
    found += [match[2].strip("'") for match in _SETTING.finditer(url)]
    whole = {one for secret in found for one in (secret, unquote(secret))}
    parts = {part for secret in whole for part in re.split(r"[^\w]+", secret) if len(part) > 2}
    return sorted((secret for secret in whole | parts if secret), key=len, reverse=True)

"""Versions as ETags: who changes a thing says which version they saw (RFC 9110, 8.8.3 and 13.1.1; RFC 6585, 3)."""

import re
from typing import Annotated

from fastapi import Header, HTTPException

TAG = re.compile(r'"([1-9][0-9]{0,8})"')
IfMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag of the version that is replaced.")]


def etag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def expect(if_match: str | None, version: int | None) -> None:
    """Hold a change against the version that it replaces; None: there is none yet.

    Raises:
        HTTPException: 428 without the header where it is needed, 412 where it names another version.
    """
    if if_match is None:
        if version is None:
            return
        raise HTTPException(428, "Read it first and send its ETag in the header If-Match.")
    if if_match.strip() == "*" and version is not None:
        return
    if version is None or version not in {int(tag) for tag in TAG.findall(if_match)}:
        held = "there is none yet" if version is None else f"version {version} counts"
        raise HTTPException(412, f"If-Match names another version; {held}. Read it again and repeat the change.")

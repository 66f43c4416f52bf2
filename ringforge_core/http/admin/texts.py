"""The texts that people write: what they may hold, in patterns that any validator of JSON schemas understands.

Halves of surrogate pairs need no pattern: the decoder refuses them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

LINE = r"^[^\x00-\x1f\x7f]*$"
"""No control characters."""

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=LINE, examples=["night shift"])]
ShortText = Annotated[str, Meta(max_length=100, pattern=LINE, examples=["langgraph"])]
Description = Annotated[str, Meta(max_length=2000, pattern=r"^[^\x00]*$", examples=["Who watches over the builds."])]
Capabilities = Annotated[list[ShortText], Meta(max_length=64, examples=[["code", "review"]])]
GivenId = Annotated[str, Meta(max_length=100, pattern=r"^[!-~]*$", examples=["0d8b7e0c-6f3c-4b1c-9a51-4f6a3bb1c2d4"])]

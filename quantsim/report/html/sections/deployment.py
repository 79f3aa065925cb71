"""The parameter set for a deployment, as a file inside the page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from quantsim.report.html.blocks import Block, Code, Download, Section, Text

if TYPE_CHECKING:
    from quantsim.report.html.content import Content

__all__ = ["deployment"]


def deployment(content: Content) -> Section:
    """Returns the section."""
    text = json.dumps(content.deployment, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    name = f"deployment-{content.checkpoint.key.replace(':', '-')}.json"
    remarks = [f"{pool['name']}: {remark}" for pool in content.deployment["pools"] for remark in pool["remarks"]]
    blocks: tuple[Block, ...] = (
        Text("The parameters in on-chain form with the pool's settings, as `quantsim export` writes them."),
        *(Text(f"Note: {remark}", "muted") for remark in remarks),
        Download(name, "Deployment (JSON)", text, "application/json"),
        Code(text, "Show it"),
    )
    return Section("deployment", "Deployment", blocks)

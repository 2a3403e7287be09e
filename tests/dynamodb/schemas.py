"""The product's tables as CreateTable payloads, from `template.yaml`, the one list of them."""

from functools import cache
from pathlib import Path
from typing import Any

from local.template import Template

REPOSITORY = Path(__file__).parents[2]
_CREATE_TABLE = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")


@cache
def _declared() -> dict[str, dict[str, Any]]:
    template = Template.load(REPOSITORY / "template.yaml")
    return template.properties("AWS::DynamoDB::Table")


def schemas(prefix: str = "") -> dict[str, dict[str, Any]]:
    """Payloads by logical id ("KeysTable", …); a table is named by the prefix and that id."""
    return {
        logical_id: {
            "TableName": prefix + logical_id,
            **{name: given[name] for name in _CREATE_TABLE if name in given},
        }
        for logical_id, given in _declared().items()
    }

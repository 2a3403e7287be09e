"""Which parameters the engine takes: what it does not know it refuses, lest a test trust in it."""

from collections.abc import Mapping
from typing import Any

from tests.dynamodb.values import ValidationException

_EXPRESSION = {"ExpressionAttributeNames", "ExpressionAttributeValues"}
_WRITE = {
    "TableName",
    "ConditionExpression",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
    "ReturnConsumedCapacity",
    *_EXPRESSION,
}
_READ = {"TableName", "ConsistentRead", "ProjectionExpression", "ReturnConsumedCapacity"}
_PAGED = {*_READ, *_EXPRESSION, "FilterExpression", "Limit", "ExclusiveStartKey", "Select"}
_PARAMETERS: dict[str, set[str]] = {
    "CreateTable": {
        "TableName",
        "KeySchema",
        "AttributeDefinitions",
        "GlobalSecondaryIndexes",
        "BillingMode",
    },
    "GetItem": {*_READ, "Key", "ExpressionAttributeNames"},
    "PutItem": {*_WRITE, "Item"},
    "UpdateItem": {*_WRITE, "Key", "UpdateExpression"},
    "DeleteItem": {*_WRITE, "Key"},
    "Query": {*_PAGED, "KeyConditionExpression", "IndexName", "ScanIndexForward"},
    "Scan": {*_PAGED, "Segment", "TotalSegments"},
    "TransactWriteItems": {"TransactItems", "ClientRequestToken", "ReturnConsumedCapacity"},
    "BatchWriteItem": {"RequestItems", "ReturnConsumedCapacity"},
    "BatchGetItem": {"RequestItems", "ReturnConsumedCapacity"},
}
_NOT_IN_TRANSACTIONS = {"ReturnValues", "ReturnConsumedCapacity"}
_PARAMETERS |= {
    "Put": {*_WRITE, "Item"} - _NOT_IN_TRANSACTIONS,
    "Update": {*_WRITE, "Key", "UpdateExpression"} - _NOT_IN_TRANSACTIONS,
    "Delete": {*_WRITE, "Key"} - _NOT_IN_TRANSACTIONS,
    "ConditionCheck": {*_WRITE, "Key"} - _NOT_IN_TRANSACTIONS,
}
_RETURN_VALUES = {
    "PutItem": ("NONE", "ALL_OLD"),
    "DeleteItem": ("NONE", "ALL_OLD"),
    "UpdateItem": ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"),
}


def check_parameters(operation: str, payload: Mapping[str, Any]) -> None:
    """Of an operation, or of one write of a transaction ("Put", …)."""
    known = _PARAMETERS.get(operation)
    if known is None:
        raise ValidationException(f"the engine does not know {operation}")
    if not known >= payload.keys():
        raise ValidationException(f"{operation} does not take {sorted(payload.keys() - known)}")
    for name in _EXPRESSION:
        if payload.get(name) == {}:
            raise ValidationException(f"{name} must not be empty")


def check_return_values(operation: str, returned: str) -> None:
    if returned not in _RETURN_VALUES[operation]:
        raise ValidationException(f"{operation} can not return {returned}")

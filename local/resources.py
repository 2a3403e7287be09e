"""Creates in the local cloud what the template declares and is missing there.

CloudFormation's properties are named as the services' own API names them, with the few differences
that are spelled out here; so the template stays the only list of tables, indexes and pools. The
result tells the template's resolver the physical values: ``{"KeysTable": …, "KeysTable.Arn": …}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.cloud import REGION
from local.problems import CannotStart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.cloud import LocalCloud
    from local.template import Template

ACCOUNT_ID = "000000000000"
# Its last group of digits goes into the name of the sign-in domain.
_STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/osiris/0-0-0-0-000000000000"

# Table properties that CreateTable takes as they are. The others (backups, time to live, tags)
# have calls of their own or mean nothing here.
_CREATE_TABLE = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "StreamSpecification",
    "OnDemandThroughput",
)
_LIST_PAGE = 60  # the most that Cognito returns in one page


class TemplateChanged(CannotStart):
    """A kept table no longer fits the template."""


def create_missing(cloud: LocalCloud, template: Template) -> dict[str, str]:
    """Create the tables and sign-in resources that are missing; return every physical value.

    Raises `TemplateChanged` when a table is there with other keys than the template has now.
    """
    values = {"AWS::StackId": _STACK_ID}
    for resource_type, create in _CREATORS.items():
        for logical_id, properties in template.properties(resource_type, values).items():
            for attribute, value in create(cloud, logical_id, properties).items():
                name = logical_id if attribute == "Ref" else f"{logical_id}.{attribute}"
                values[name] = value
    return values


def _table(cloud: LocalCloud, logical_id: str, properties: Mapping[str, Any]) -> dict[str, str]:
    name = str(properties.get("TableName", f"osiris-{logical_id}"))
    client = cloud.client("dynamodb")
    if name in client.list_tables()["TableNames"]:
        _refuse_change(name, properties, client.describe_table(TableName=name)["Table"])
    else:
        client.create_table(
            TableName=name, **{key: properties[key] for key in _CREATE_TABLE if key in properties}
        )
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        if "TimeToLiveSpecification" in properties:
            client.update_time_to_live(
                TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"]
            )
    return {"Ref": name, "Arn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{name}"}


def _refuse_change(name: str, declared: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    def shape(table: Mapping[str, Any]) -> list[Any]:
        indexes = table.get("GlobalSecondaryIndexes", [])
        return [table["KeySchema"], sorted((i["IndexName"], str(i["KeySchema"])) for i in indexes)]

    if shape(declared) != shape(found):
        raise TemplateChanged(
            f"table {name} has other keys than template.yaml now declares; "
            "remove .local to begin anew, or keep the template as it was"
        )


def _user_pool(cloud: LocalCloud, logical_id: str, properties: Mapping[str, Any]) -> dict[str, str]:
    client = cloud.client("cognito-idp")
    name = str(properties.get("UserPoolName", f"osiris-{logical_id}"))
    pools = client.list_user_pools(MaxResults=_LIST_PAGE)["UserPools"]
    pool_id = next((pool["Id"] for pool in pools if pool["Name"] == name), None)
    if pool_id is None:
        settings = _accepted(client, "CreateUserPool", properties)
        pool_id = client.create_user_pool(PoolName=name, **settings)["UserPool"]["Id"]
    provider = f"cognito-idp.{REGION}.amazonaws.com/{pool_id}"
    return {
        "Ref": pool_id,
        "UserPoolId": pool_id,
        "Arn": f"arn:aws:cognito-idp:{REGION}:{ACCOUNT_ID}:userpool/{pool_id}",
        "ProviderName": provider,
        "ProviderURL": f"https://{provider}",
    }


def _user_pool_client(
    cloud: LocalCloud, logical_id: str, properties: Mapping[str, Any]
) -> dict[str, str]:
    client = cloud.client("cognito-idp")
    pool_id = properties["UserPoolId"]
    name = str(properties.get("ClientName", f"osiris-{logical_id}"))
    found = client.list_user_pool_clients(UserPoolId=pool_id, MaxResults=_LIST_PAGE)
    for existing in found["UserPoolClients"]:
        if existing["ClientName"] == name:
            # On another port people come back to another place.
            changed = _accepted(client, "UpdateUserPoolClient", properties)
            client.update_user_pool_client(**changed, ClientId=existing["ClientId"])
            return {"Ref": existing["ClientId"], "ClientId": existing["ClientId"]}
    settings = _accepted(client, "CreateUserPoolClient", properties) | {"ClientName": name}
    created = client.create_user_pool_client(**settings)["UserPoolClient"]
    return {"Ref": created["ClientId"], "ClientId": created["ClientId"]}


def _user_pool_domain(
    cloud: LocalCloud, _logical_id: str, properties: Mapping[str, Any]
) -> dict[str, str]:
    client = cloud.client("cognito-idp")
    domain, pool_id = str(properties["Domain"]), properties["UserPoolId"]
    if not client.describe_user_pool_domain(Domain=domain)["DomainDescription"].get("UserPoolId"):
        client.create_user_pool_domain(Domain=domain, UserPoolId=pool_id)
    return {"Ref": domain}


def _accepted(client: Any, operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that the operation takes; CloudFormation has some of its own beside them."""
    members = client.meta.service_model.operation_model(operation).input_shape.members
    return {
        name: value.split(",") if isinstance(value, str) and _is_list(members[name]) else value
        for name, value in properties.items()
        if name in members
    }


def _is_list(shape: Any) -> bool:
    """A parameter of the type CommaDelimitedList comes as one text."""
    return bool(shape.type_name == "list")


# In the order in which they refer to one another.
_CREATORS: dict[str, Callable[[LocalCloud, str, Mapping[str, Any]], dict[str, str]]] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::Cognito::UserPool": _user_pool,
    "AWS::Cognito::UserPoolClient": _user_pool_client,
    "AWS::Cognito::UserPoolDomain": _user_pool_domain,
}

"""DynamoDB, and SSM for secrets: the only floor that talks to AWS.

Each write is built here once as DynamoDB's own JSON, with its conditions by name, and handed to a
transport: boto3 everywhere, our lean one in the proxy.
"""

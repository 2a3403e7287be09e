"""Streamed answers from Python on AWS Lambda.

The managed Python runtime buffers a handler's result. Lambda's Runtime API can stream, so a
function that streams starts through AWS_LAMBDA_EXEC_WRAPPER with our subclass of AWS's own
runtime client; nothing above `osiris.http.messages.Answer` knows of it.
"""

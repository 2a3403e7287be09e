"""AWS's own SAM transform, run on this machine: no network, no account.

It is the transform that CloudFormation runs, so what it makes of a template here, silent traps
included, is what would be deployed.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

# SAM takes code from S3 only, so a folder stands behind this bucket's name on its way through.
_BUCKET = "local"


def transformed(path: Path, *, parameters: Mapping[str, str], region: str) -> dict[str, Any]:
    """The CloudFormation template that SAM makes of the file. Errors: SAM's own."""
    document = yaml_parse(path.read_text(encoding="utf-8"))
    _name_folders(document)
    # The region has to come in by a session: SAM asks boto3 for it even when it is a parameter.
    session = boto3.session.Session(region_name=region)
    # Its warnings are about feature switches of AWS's own deployment of SAM.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    translator = Translator({}, Parser(), boto_session=session)
    return dict(translator.translate(document, parameter_values=dict(parameters)))


def folder(code: Mapping[str, Any]) -> str | None:
    """The folder, relative to the template, of a transformed `Code` or `Content`, if it is one."""
    return str(code["S3Key"]) if code.get("S3Bucket") == _BUCKET else None


def _name_folders(document: dict[str, Any]) -> None:
    """Write each local folder as `s3://local/<folder>`, the one form that the transform takes."""
    sections = [resource.get("Properties", {}) for resource in document["Resources"].values()]
    sections += list(document.get("Globals", {}).values())
    for section in sections:
        for key in ("CodeUri", "ContentUri"):
            given = section.get(key)
            if isinstance(given, str) and not given.startswith("s3://"):
                section[key] = f"s3://{_BUCKET}/{given.removeprefix('./').rstrip('/') or '.'}"

"""The alarms and the optional mails of the template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.template import Template
from osiris import telemetry
from osiris.flows import mail
from osiris.store.events import SOURCE

REPOSITORY = Path(__file__).parents[2]
SENDER = "credit@osiris.example"


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.load(REPOSITORY / "template.yaml")


@pytest.fixture(scope="module")
def mailing() -> Template:
    """The template of an operator who has mails sent."""
    return Template.load(REPOSITORY / "template.yaml", parameters={"MailFrom": SENDER})


def of_type(template: Template, resource_type: str) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in template.resources.items()
        if resource["Type"] == resource_type
    }


def physical_names(template: Template) -> dict[str, str]:
    """A name for whatever the template may refer to."""
    return {name: f"the-{name}" for name in template.resources}


# -------------------------------------------------------------------------------------- the alarms


def test_each_alarm_watches_a_metric_that_is_written(template: Template) -> None:
    """An alarm on a metric that nobody writes would never go off: names and dimensions agree."""
    written = [value for name, value in vars(telemetry).items() if name.isupper()]
    for alarm in of_type(template, "AWS::CloudWatch::Alarm").values():
        if alarm["Namespace"] == telemetry.NAMESPACE:
            assert alarm["MetricName"] in written
            assert "Dimensions" not in alarm  # the metrics are written without any


def test_the_named_alarms_are_there_and_quiet_when_nothing_happens(template: Template) -> None:
    """Each alarm the operator is promised exists; no data means that all is well."""
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    assert sorted(alarms) == [
        "ApiFailedAlarm",
        "ExpirySweeperFailedAlarm",
        "HoldsLapsedAlarm",
        "PaymentUndecidedAlarm",
        "ProviderFailedAlarm",
        "RateFailedAlarm",
        "ReconcilerFailedAlarm",
        "SettlementFailedAlarm",
        "UpstreamRefusedAlarm",
        "UsageEstimatedAlarm",
        "UsageOutOfBoundsAlarm",
        "WebhookRefusedAlarm",
    ]
    assert {alarm["TreatMissingData"] for alarm in alarms.values()} == {"notBreaching"}


def test_alarms_go_to_the_topic_that_the_operator_names() -> None:
    """Without AlarmTopicArn they have no action; with it, it is theirs."""
    topic = "arn:aws:sns:us-east-1:123456789012:pager"
    given = Template.load(REPOSITORY / "template.yaml", parameters={"AlarmTopicArn": topic})
    names = physical_names(given)
    for alarm in given.properties("AWS::CloudWatch::Alarm", names).values():
        assert alarm["AlarmActions"] == [topic]
    plain = Template.load(REPOSITORY / "template.yaml")
    for alarm in plain.properties("AWS::CloudWatch::Alarm", names).values():
        assert "AlarmActions" not in alarm


# --------------------------------------------------------------------------------------- the mails


def test_without_a_sender_nobody_is_mailed(template: Template) -> None:
    """By default there is no mailer, no rule, no right to mail, and no address is kept."""
    assert not [name for name in template.resources if "Mail" in name]
    environment = template.functions(physical_names(template))["TopupsFunction"].environment
    assert environment["OSIRIS_MAIL_FROM"] == ""


def test_with_a_sender_the_mailer_gets_the_outboxs_events(mailing: Template) -> None:
    """MailFrom makes the function, and a rule for just the events that it has texts for."""
    functions = mailing.functions(physical_names(mailing))
    assert functions["MailerFunction"].environment["OSIRIS_MAIL_FROM"] == SENDER
    assert functions["TopupsFunction"].environment["OSIRIS_MAIL_FROM"] == SENDER
    (rule,) = of_type(mailing, "AWS::Events::Rule").values()
    assert rule["EventPattern"] == {"source": [SOURCE], "detail-type": list(mail.TYPES)}
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["MailerFunction", "Arn"]}
    assert "EventBusName" not in rule  # the default bus, where events are sent


def test_the_mailer_sends_from_that_address_alone(mailing: Template) -> None:
    """Its right to mail is bound to the sender."""
    (policy,) = mailing.resources["MailerFunctionRole"]["Properties"]["Policies"]
    (statement,) = [
        each for each in policy["PolicyDocument"]["Statement"] if each["Action"] == "ses:SendEmail"
    ]
    assert statement["Condition"] == {"StringEquals": {"ses:FromAddress": {"Ref": "MailFrom"}}}


def test_the_mailers_log_is_kept_for_a_limited_time(mailing: Template) -> None:
    """As every function's."""
    function = of_type(mailing, "AWS::Lambda::Function")["MailerFunction"]
    group = of_type(mailing, "AWS::Logs::LogGroup")[function["LoggingConfig"]["LogGroup"]["Ref"]]
    assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_mails_that_fail_are_told(mailing: Template) -> None:
    """An alarm of its own watches the mailer's errors."""
    alarm = of_type(mailing, "AWS::CloudWatch::Alarm")["MailerFailedAlarm"]
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "MailerFunction"}}]

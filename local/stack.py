"""The whole product on this machine, as one object.

    with LocalStack(state_dir=path, port=0) as stack:
        client = OpenAI(base_url=stack.base_url, api_key=stack.api_key)

`stack.base_url` is what OpenAI clients take (…/v1) and `stack.url` its root; `stack.api_key` is a
funded key of the demo account, `stack.token()` a fresh ID token of it for `/api`.
`stack.payments` says where the payment simulators are.
`stack.environment` is what another process needs beside its own environment to reach the local
tables (`osiris`, boto3); `stack.cloud.client("dynamodb")` is a client in this one. `stack.front`
is the front (:mod:`local.gateway`).

Start it from a thread that lives as long as it does, best the main one (:mod:`local.children`).
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from local.children import Child, bare_environment
from local.cloud import LocalCloud
from local.demo import NO_DEMO, seed_demo
from local.environment_file import write_environment
from local.front import Front, PortTaken
from local.function_log import FunctionLog
from local.payment_simulators import PaymentWorld, start_simulators
from local.resources import create_missing
from local.sign_in_pages import SignInPages
from local.state import STATE_DIR, StateDirectory, is_free
from local.template import Template
from local.token import demo_password, ensure_demo_user, sign_in
from local.upstreams import Upstreams
from osiris.identity import account_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from local.demo import Demo

REPOSITORY = Path(__file__).parents[1]

_SIMULATOR_READY_TIMEOUT_S = 20
_LOCK_TIMEOUT_S = 25  # a cloud whose stack was killed writes its state first


class LocalStack:
    """Everything that `make run` starts; runs from `with` (or `start`) to its end (or `stop`).

    `port` 0 takes a free one, the same over restarts. `parameters` are the template's
    (``{"HoldLapseMs": "2000"}``). `function_environment` comes on top of the template's variables,
    by function (``{"ProxyFunction": {"AWS_ENDPOINT_URL_DYNAMODB": …}}``). `upstream_url` and
    `payments` are simulators of the caller's own; without them some are started. `environ` is where
    API keys of real upstreams are looked for: nowhere by default. `shows_log` prints what the
    functions print.
    """

    def __init__(
        self,
        *,
        state_dir: Path = STATE_DIR,
        port: int = 0,
        function_environment: Mapping[str, Mapping[str, str]] | None = None,
        parameters: Mapping[str, str] | None = None,
        upstream_url: str | None = None,
        payments: PaymentWorld | None = None,
        environ: Mapping[str, str] | None = None,
        shows_log: bool = False,
    ) -> None:
        self.state = StateDirectory(state_dir)
        self.cloud = LocalCloud(self.state, repository=REPOSITORY)
        self.template = Template.load(REPOSITORY / "template.yaml", parameters=parameters)
        self.port = port
        self.upstream_url = upstream_url or ""
        self._given_payments = payments
        self.payments: PaymentWorld
        self.sign_in_pages: SignInPages
        self.demo = NO_DEMO
        self.front: Front
        self._function_environment = dict(function_environment or {})
        self._environ = dict(environ or {})
        self._shows_log = shows_log
        self._values: dict[str, str] = {}
        self._ending = contextlib.ExitStack()
        self._children: list[Child] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def api_key(self) -> str:
        return self.demo.secret

    @property
    def environment(self) -> dict[str, str]:
        """What a program beside the stack needs; the file `env` exports the same."""
        ours = {
            name: value
            for function in self.template.functions(self._values).values()
            for name, value in function.environment.items()
            if name.startswith("OSIRIS_")
        }
        addresses = {
            "OSIRIS_BASE_URL": self.base_url,
            "OSIRIS_API_KEY": self.api_key,
            # So that `osiris models apply` leads no model elsewhere than we did.
            "OSIRIS_UPSTREAM_URLS": " ".join(
                f"{upstream}={url}" for upstream, url in self._upstreams.base_urls.items()
            ),
        }
        return addresses | self.payments.addresses | self.cloud.environment | ours | self._elsewhere

    @property
    def _upstreams(self) -> Upstreams:
        return Upstreams(simulator_url=self.upstream_url, environ=self._environ)

    @property
    def _elsewhere(self) -> dict[str, str]:
        """What is on this machine although the template names it where it is on AWS.

        The issuer has AWS's name here too, but its keys are at the local cloud.
        """
        pages_url = self.sign_in_pages.url
        return {
            "OSIRIS_OIDC_JWKS_URL": self.cloud.jwks_url(self._values["UserPool"]),
            "OSIRIS_OIDC_AUTHORIZE_URL": f"{pages_url}/oauth2/authorize",
            "OSIRIS_OIDC_TOKEN_URL": f"{pages_url}/oauth2/token",
            "OSIRIS_OIDC_LOGOUT_URL": f"{pages_url}/logout",
            **self.payments.environment,
        }

    def token(self) -> str:
        """A fresh ID token of the demo account."""
        return sign_in(
            self.cloud.client("cognito-idp"),
            pool_id=self._values["UserPool"],
            client_id=self._values["UserPoolClient"],
            password=demo_password(self.state),
        )

    def start(self) -> None:
        """Start everything; when one part fails, those before it are ended again."""
        with contextlib.ExitStack() as ending:
            lock = self.state.lock(timeout_s=_LOCK_TIMEOUT_S)
            ending.callback(self.state.unlock)
            self.port = self.port or self.state.port("front")
            if not is_free(self.port):
                raise PortTaken(self.port)
            if not self.upstream_url:
                self._start_simulator(ending)
            if self._given_payments is None:
                webhooks_url = f"{self.url}/webhooks"
                started = start_simulators(self.state, ending, webhooks_url=webhooks_url)
                self.payments, children = started
                self._children += children
            else:
                self.payments = self._given_payments
            ending.callback(self.cloud.stop)
            self.cloud.start(lock=lock)
            self.template = self.template.given({"SiteUrl": self.url})
            self._values = create_missing(self.cloud, self.template)
            self.sign_in_pages = SignInPages(
                cloud_endpoint=self.cloud.endpoint,
                pool_id=self._values["UserPool"],
                client_factory=self.cloud.client,
                port=self.state.port("sign-in"),
            )
            ending.enter_context(self.sign_in_pages)
            account = self._create_account()
            self.demo = self._seeded(account)
            self._start_front(ending)  # last: who is answered finds everything in place
            write_environment(self.state, self.environment)
            self._ending = ending.pop_all()

    def stop(self) -> None:
        """End everything, in the opposite order."""
        self._ending.close()

    def failed(self) -> str | None:
        """What has ended although it should run, in a sentence; None while all is well."""
        sentences = [self.cloud.failed(), *(child.failed() for child in self._children)]
        return next((sentence for sentence in sentences if sentence), None)

    def __enter__(self) -> LocalStack:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start_simulator(self, ending: contextlib.ExitStack) -> None:
        port = self.state.port("upstream")
        simulator = Child(
            "the upstream simulator",
            [sys.executable, "-m", "local.upstream", "--port", str(port)],
            log=self.state.log("upstream"),
            environment=bare_environment(),
            directory=REPOSITORY,
        )
        ending.callback(simulator.stop)
        self._children.append(simulator)
        simulator.wait_until_answering(port, "/v1/models", timeout_s=_SIMULATOR_READY_TIMEOUT_S)
        self.upstream_url = f"http://127.0.0.1:{port}/v1"

    def _create_account(self) -> str:
        """The id of the demo account, whose user can sign in from now on."""
        subject = ensure_demo_user(
            self.cloud.client("cognito-idp"),
            pool_id=self._values["UserPool"],
            password=demo_password(self.state),
        )
        return account_id(self._values["UserPool.ProviderURL"], subject)

    def _start_front(self, ending: contextlib.ExitStack) -> None:
        log = FunctionLog(self.state.log("functions"), shows=self._shows_log)
        ending.enter_context(log)
        given = self._function_environment
        self.front = Front(
            self.template,
            self._values,
            environment=self.cloud.environment,
            function_environment={
                name: {**self._elsewhere, **given.get(name, {})}
                for name in {*self.template.functions(self._values), *given}
            },
            port=self.port,
            sink=log,
            reports=True,
        )
        ending.enter_context(self.front)

    def _seeded(self, account: str) -> Demo:
        return seed_demo(
            self.cloud,
            self.state,
            environment=self.environment,
            account_id=account,
            upstreams=self._upstreams,
            payment_secrets=self.payments.secrets,
        )

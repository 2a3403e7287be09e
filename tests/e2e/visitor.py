"""What a person does on the pages, by what they see: roles, labels and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.stack import LocalStack
    from tests.e2e.chromium import Window

PASSWORD = "correct horse battery staple"


class Visitor:
    """Somebody at a window of the stack's pages."""

    def __init__(self, window: Window, stack: LocalStack) -> None:
        self.window = window
        self.page = window.page
        self.stack = stack

    def go(self, path: str) -> None:
        self.page.goto(self.stack.url + path)

    def sign_up(self, email: str) -> None:
        """From the start page: an account at the sign-in pages, and in with it."""
        page = self.page
        self.go("/")
        page.get_by_role("link", name="Sign in").first.click()
        page.get_by_role("link", name="Create an account").click()
        page.locator("[name=email]").fill(email)
        page.locator("[name=password]").fill(PASSWORD)
        page.get_by_role("button").click()
        self.fill_sign_in(email)
        page.get_by_role("heading", name="Keys", exact=True).wait_for()

    def fill_sign_in(self, email: str) -> None:
        """The form of the sign-in page."""
        page = self.page
        page.locator("[name=username]").fill(email)
        page.locator("[name=password]").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()

    def create_key(self, name: str, *, kind: str = "paid") -> str:
        """A new key; its secret, as the page shows it."""
        page = self.page
        self.go("/keys")
        page.get_by_label("Name", exact=True).fill(name)
        if kind == "trial":
            page.get_by_label("Trial").check()
        page.get_by_role("button", name="Create key").click()
        page.get_by_role("heading", name="Copy the secret now").wait_for()
        return page.locator("#secret").inner_text()

    def create_first_key(self) -> None:
        """The same, in any language, from the page that is open: /keys."""
        self.page.locator("#name").fill("laptop")
        self.page.locator("form[action='/keys'] button").click()
        self.page.locator("#secret").wait_for()

    def order(self, key_id: str, package: str, method: str, *, coin: str = "") -> str:
        """An order of credit for the key, by the choices of the page; its id."""
        page = self.page
        self.go("/topup")
        page.locator(f"#package-{package}").check()
        page.locator(f"#key-{key_id}").check()
        page.locator(f"#method-{method}").check()
        if coin:
            page.locator("#q").fill(coin)
            page.wait_for_url(f"**q={coin}*")
            page.locator(f"#coin-{coin}").check()
        page.get_by_role("button", name="Order $").click()
        page.wait_for_url("**/orders/ord_*")
        return page.url.rpartition("/")[2]

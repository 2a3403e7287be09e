"""Stands for the domain of Cognito's hosted pages: where people sign in, sign up and sign out.

ministack has all of it but a page to sign up on. So its pages are passed on as they are, except
that the sign-in page gets a link to the page that is added here.
"""

from local.sign_in_pages.server import SignInPages

__all__ = ["SignInPages"]

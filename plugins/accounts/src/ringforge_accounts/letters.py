"""What the mails say."""

from __future__ import annotations

from ringforge_core.ports.auth import Mail


def confirm_registration(to: str, link: str) -> Mail:
    return Mail(
        to, "Confirm your e-mail address",
        f"Somebody, probably you, registered at Ringforge with this address.\n\nConfirm it within 24 hours:\n\n{link}\n\n"
        "If it was not you, do nothing.",
    )  # fmt: skip


def already_registered(to: str, sign_in: str, reset: str) -> Mail:
    return Mail(
        to, "You have an account already",
        f"Somebody, probably you, registered at Ringforge with this address, which has an account already.\n\n"
        f"Sign in: {sign_in}\nForgot the password: {reset}\n\nIf it was not you, do nothing.",
    )  # fmt: skip


def reset_password(to: str, link: str) -> Mail:
    return Mail(
        to, "Set a new password",
        f"Somebody, probably you, asked for a new password at Ringforge.\n\nSet it within 30 minutes:\n\n{link}\n\n"
        "If it was not you, do nothing: your password stays as it is.",
    )  # fmt: skip


def password_changed(to: str, reset: str) -> Mail:
    return Mail(
        to, "Your password was changed",
        f"The password of your Ringforge account was changed, and all other sessions were ended.\n\n"
        f"If it was not you, set a new one now: {reset}",
    )  # fmt: skip


def confirm_email(to: str, before: str, link: str) -> Mail:
    return Mail(
        to, "Confirm your new e-mail address",
        f"The Ringforge account of {one_line(before)} is to have this address.\n\nWhile you are signed in to it, confirm"
        f" within 24 hours:\n\n{link}\n\nIf this is not your account, do nothing.",
    )  # fmt: skip


def email_taken(to: str) -> Mail:
    return Mail(
        to, "You have an account already",
        "Somebody, probably you, wanted to give another Ringforge account this address, which has an account already.\n\n"
        "Nothing was changed. To use the address for the other account, delete this one first.",
    )  # fmt: skip


def email_changed(to: str, after: str, undo: str) -> Mail:
    return Mail(
        to, "Your e-mail address was changed",
        f"Your Ringforge account has the address {one_line(after)} now; this one leads to it no more.\n\n"
        f"If it was not you, take it back within 7 days:\n\n{undo}",
    )  # fmt: skip


def email_restored(to: str, link: str) -> Mail:
    return Mail(
        to, "Your account has this address again",
        f"Your Ringforge account has this address again. All sessions were ended, and the password was taken away.\n\n"
        f"Set a new one within 30 minutes:\n\n{link}",
    )  # fmt: skip


def account_deleted(to: str) -> Mail:
    return Mail(to, "Your account was deleted", "Your Ringforge account was deleted, as you asked. It cannot be had back.")


def invitation(to: str, *, inviter: str, place: str, link: str) -> Mail:
    return Mail(
        to, f"{one_line(inviter)} invites you to Ringforge",
        f"{one_line(inviter)} invites you to {one_line(place)} at Ringforge.\n\nAccept:\n\n{link}",
    )  # fmt: skip


def approved(to: str, link: str) -> Mail:
    return Mail(to, "Your place at Ringforge is ready", f"Register within 14 days:\n\n{link}")


def one_line(text: str) -> str:
    """A name that people chose, fit for a subject."""
    return " ".join(text.split())[:80]

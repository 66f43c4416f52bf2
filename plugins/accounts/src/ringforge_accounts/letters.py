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

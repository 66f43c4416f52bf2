"""Sign-in at a company's own identity provider, by SAML 2.0: `[auth] use = ["saml"]`.

settings.py      the tables [auth.saml] and [auth.saml.providers.NAME]
adapter.py       the port's verbs

request.py       the question, in the address that the browser goes to
response.py      the answer: what of it is signed by the provider, and meant for us, now, and for this question
signature.py     the element that a signature covers, as signxml found it
assertion.py     the rules for who may say it, to whom, and when
subject.py       the person that an assertion is about

providers.py     the identity providers, by the e-mails that they are trusted with
sources.py       where a provider's description comes from, and when it is read anew
metadata.py      such a description, in SAML's own format; and ours, for the provider
documents.py     XML of strangers, read safely
"""

from ringforge_auth_saml.adapter import Saml
from ringforge_auth_saml.settings import SamlSettings
from ringforge_core.plugin import Adapter, hookimpl
from ringforge_core.ports.auth import Auth

__all__ = ["Saml", "SamlSettings", "ringforge_adapter"]


@hookimpl
def ringforge_adapter() -> Adapter:
    return Adapter(port=Auth, settings_type=SamlSettings, create=Saml)

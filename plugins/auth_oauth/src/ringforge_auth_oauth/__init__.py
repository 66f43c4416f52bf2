"""Sign-in with identities of elsewhere, by OAuth 2: `[auth] use = ["google", "github", "oidc"]`.

code_flow.py    the authorization code with PKCE, which all have in common
openid.py       OpenID Connect: discovery, the signed ID token; the adapter `oidc`
google.py       the adapter `google`, which is OpenID Connect
github.py       the adapter `github`, which is not
settings.py     their tables, such as [auth.google]
"""

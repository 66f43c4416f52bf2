// A certified provider of OpenID Connect for tests: `node server.mjs PORT CALLBACK`. It signs in, without asking, whoever the
// cookie `person` names (an e-mail; `unverified:` before it makes it an unverified one), and insists on PKCE.
import { Provider } from "oidc-provider";

const [port, callback] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "ringforge",
      client_secret: "a secret between the two",
      redirect_uris: [callback],
      token_endpoint_auth_method: "client_secret_post",
    },
  ],
  pkce: { required: () => true },
  conformIdTokenClaims: false,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  features: { devInteractions: { enabled: false } },
  cookies: { keys: ["only for tests"] },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => {
    const email = id.replace("unverified:", "");
    const claims = { sub: `person-${id}`, email, email_verified: email === id, name: email.split("@")[0] };
    return { accountId: id, claims: () => claims };
  },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith("/interaction/")) return next();
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const accountId = decodeURIComponent(ctx.cookies.get("person"));
  if (accountId === "declines") {
    return provider.interactionFinished(ctx.req, ctx.res, { error: "access_denied" });
  }
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const grantId = await grant.save();
  return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId }, consent: { grantId } });
});

provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));

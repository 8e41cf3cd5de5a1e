// An identity provider in a process of its own, on loopback: a real one, whose tokens can be spoiled on command.
import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const key = newKey();
const server = createServer().listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;
/** What is known of people, by the name with which they sign in here. */
let people = {};
/** What is done to the next ID tokens; null: nothing. */
let spoiled = null;

process.on("message", (message) => {
  people = message.people ?? people;
  if (message.redirects) serve(message.redirects);
  if ("spoiled" in message) spoiled = message.spoiled;
  process.send({ done: true });
});
process.on("disconnect", () => process.exit());
process.send({ issuer });

function serve(redirects) {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "lendbuf",
        client_secret: "what the provider gave",
        redirect_uris: redirects,
        response_types: ["code"],
        grant_types: ["authorization_code"],
      },
    ],
    cookies: { keys: ["of this test"] },
    jwks: { keys: [key.jwk] },
    pkce: { required: () => true },
    claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
    findAccount: (_context, accountId) => ({
      accountId,
      claims: () => ({ sub: accountId, preferred_username: accountId, ...people[accountId] }),
    }),
  });
  provider.use(async (context, next) => {
    await next();
    if (context.path === "/token" && spoiled && context.body?.id_token)
      context.body = { ...context.body, id_token: spoil(context.body.id_token) };
  });
  server.removeAllListeners("request");
  server.on("request", provider.callback());
}

/** The same token with other claims, signed anew: with our key, or where `forged` is asked for with one that nobody published. */
function spoil(token) {
  const [head, body] = token.split(".").map((part) => Buffer.from(part, "base64url").toString());
  const { forged, claims, ago } = spoiled;
  const payload = { ...JSON.parse(body), ...claims };
  for (const [name, value] of Object.entries(payload)) if (value === null) delete payload[name];
  if (ago) for (const time of ["iat", "exp"]) payload[time] -= ago;
  const signed = [head, JSON.stringify(payload)].map((text) => Buffer.from(text).toString("base64url")).join(".");
  const { privateKey } = forged ? newKey() : key;
  return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
}

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = { ...privateKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" };
  return { jwk, privateKey: createPrivateKey({ key: jwk, format: "jwk" }) };
}

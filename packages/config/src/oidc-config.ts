import { readFileSync, statSync } from "node:fs";
import type { Role } from "@lendbuf/shared/role";
import { ConfigError } from "./config-error.ts";
import type { Given as InFile } from "./file.ts";

type Given = InFile | undefined;

/** The identity provider whose word counts, and for what. */
export interface OidcChoice {
  issuer: URL;
  clientId: string;
  /** Null: it gave none, and PKCE alone proves that a code is ours. */
  clientSecret: string | null;
  /** The claim that is the account's name. */
  claim: string;
  scope: string;
  groupsClaim: string;
  /** For members of these groups of the provider accounts are made, with this role. */
  createFor: ReadonlyMap<string, Role>;
}

interface Options {
  issuer: Given;
  clientId: Given;
  secretFile: Given;
  claim: Given;
  scope: Given;
  groupsClaim: Given;
  create: ReadonlyMap<string, Role>;
}

/** @throws ConfigError */
export function readOidc(options: Options): OidcChoice | null {
  const { issuer, clientId, secretFile, create } = options;
  if (!issuer) {
    const other = clientId ?? secretFile ?? options.claim ?? options.scope ?? options.groupsClaim;
    if (!other && create.size === 0) return null;
    throw new ConfigError(`${other?.from ?? "--oidc-create"} is of use only with --oidc-issuer, which is not given.`);
  }
  if (!clientId?.value)
    throw new ConfigError(`${issuer.from} needs --oidc-client-id: how the provider knows this agent.`);
  return {
    issuer: issuerUrl(issuer),
    clientId: clientId.value,
    clientSecret: secretFile ? readSecret(secretFile) : null,
    claim: options.claim?.value || "preferred_username",
    scope: scopes(options.scope),
    groupsClaim: options.groupsClaim?.value || "groups",
    createFor: create,
  };
}

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

function issuerUrl({ value, from }: NonNullable<Given>): URL {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (!url || !["https:", "http:"].includes(url.protocol) || url.search || url.hash || url.username)
    throw new ConfigError(`${from} is "${value}"; it takes the provider's address, such as https://sso.example.org.`);
  // Whoever is on the way could say that anybody is anybody.
  if (url.protocol === "http:" && !LOOPBACK.includes(url.hostname))
    throw new ConfigError(`${from} is "${value}"; a provider that is not on this host takes https://.`);
  return url;
}

function scopes(given: Given): string {
  const scope = given?.value ?? "openid profile";
  if (scope.split(" ").includes("openid")) return scope;
  throw new ConfigError(`${given!.from} is "${scope}"; it needs openid among its scopes, as in "openid profile".`);
}

function readSecret({ value: path, from }: NonNullable<Given>): string {
  try {
    if (statSync(path).mode & 0o007)
      throw new ConfigError(`${from}: every user of this host may read ${path}. Run: chmod 600 ${path}`);
    const [secret = ""] = readFileSync(path, "utf8").split("\n");
    if (secret.trim() !== "") return secret.trim();
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`${from}: ${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`, { cause });
  }
  throw new ConfigError(`${from}: ${path} has no secret in its first line.`);
}

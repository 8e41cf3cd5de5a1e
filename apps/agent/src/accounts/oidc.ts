import type { OidcChoice } from "@lendbuf/config/oidc-config";
import { AgentError } from "@lendbuf/shared/errors";
import type { Configuration, IDToken } from "openid-client";
import type { Log } from "../log.ts";
import type { Accounts } from "./accounts.ts";
import { accountOf, NotLetIn } from "./oidc-person.ts";
import { fitsHash, hashSecret, newSecret } from "./secret.ts";

/** For people to type their password at the provider's. */
const FLOW_LIFE_MS = 10 * 60_000;
const ARRIVAL_LIFE_MS = 60_000;
const MAX_FLOWS_OF_ONE = 10;
const PROVIDER_TIMEOUT_S = 10;
const CLOCKS_DIFFER_BY_S = 30;

/** A browser that was sent to the provider. */
interface Flow {
  source: string;
  redirect: string;
  nonce: string;
  verifier: string;
  /** The hash of what its page kept. */
  page: string;
  expiresAt: number;
}

/** One that came back: who it is, or why not. */
type Arrival = { account: string; problem?: undefined } | { account?: undefined; problem: string };

/** Signing in by an identity provider: OpenID Connect's authorization code flow with PKCE. */
export class Oidc {
  readonly #choice: OidcChoice;
  readonly #accounts: Accounts;
  readonly #log: Log;
  /** By their state; each is used once. */
  readonly #flows = new Map<string, Flow>();
  /** By the hash of their secret; so is each of these. */
  readonly #arrivals = new Map<string, { page: string; expiresAt: number; arrival: Arrival }>();
  #provider: Promise<Configuration> | undefined;

  constructor(choice: OidcChoice, accounts: Accounts, log: Log) {
    this.#choice = choice;
    this.#accounts = accounts;
    this.#log = log;
  }

  /** What people call the provider. */
  get name(): string {
    return this.#choice.issuer.host;
  }

  /** Where a page of this origin goes, and what it must keep until it is back. @throws AgentError NOT_READY, LIMIT */
  async begin(origin: string, source: string): Promise<{ url: string; page: string }> {
    this.#forgetOld();
    if ([...this.#flows.values()].filter((flow) => flow.source === source).length >= MAX_FLOWS_OF_ONE)
      throw new AgentError(
        "LIMIT",
        `You have begun to sign in ${MAX_FLOWS_OF_ONE} times and not come back. Wait ten minutes, or use a login link.`,
      );
    const [openid, provider] = [await import("openid-client"), await this.#discovered()];
    const [state, nonce, verifier] = [openid.randomState(), openid.randomNonce(), openid.randomPKCECodeVerifier()];
    const [page, redirect] = [newSecret(), `${origin}/login/oidc/callback`];
    const expiresAt = Date.now() + FLOW_LIFE_MS;
    this.#flows.set(state, { source, redirect, nonce, verifier, page: hashSecret(page), expiresAt });
    const url = openid.buildAuthorizationUrl(provider, {
      redirect_uri: redirect,
      scope: this.#choice.scope,
      state,
      nonce,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    return { url: url.href, page };
  }

  /** The provider's answer, as the browser brings it: a secret for the page; undefined where nobody waits for it. */
  async finish(query: string): Promise<string | undefined> {
    const state = new URLSearchParams(query).get("state") ?? "";
    const flow = this.#flows.get(state);
    this.#flows.delete(state);
    if (!flow || flow.expiresAt <= Date.now()) return undefined;
    const arrival = await this.#arrivalOf(flow, state, query);
    const secret = newSecret();
    const expiresAt = Date.now() + ARRIVAL_LIFE_MS;
    this.#arrivals.set(hashSecret(secret), { page: flow.page, expiresAt, arrival });
    return secret;
  }

  /** What came of it, once, and only for the page that began it. */
  take(secret: string, page: string): Arrival | undefined {
    this.#forgetOld();
    const hash = hashSecret(secret);
    const found = this.#arrivals.get(hash);
    if (!found || !fitsHash(page, found.page)) return undefined;
    this.#arrivals.delete(hash);
    return found.arrival;
  }

  async #arrivalOf(flow: Flow, state: string, query: string): Promise<Arrival> {
    try {
      return { account: accountOf(await this.#claims(flow, state, query), this.#choice, this.#accounts) };
    } catch (cause) {
      if (cause instanceof NotLetIn || cause instanceof AgentError) return { problem: cause.message };
      const { code = "no code", message, error } = cause as { code?: string; message: string; error?: string };
      this.#log.warn({ issuer: this.#choice.issuer.href, code, error, message }, "a sign-in by the provider failed");
      const why = typeof error === "string" && /^\w{1,40}$/.test(error) ? error : code;
      return { problem: `${this.name} did not confirm who you are (${why}). Try again, or use a login link.` };
    }
  }

  /** What the provider says of somebody; its signature, issuer, audience, nonce and times were checked. */
  async #claims(flow: Flow, state: string, query: string): Promise<Partial<IDToken>> {
    const [openid, provider] = [await import("openid-client"), await this.#discovered()];
    const tokens = await openid.authorizationCodeGrant(provider, new URL(`${flow.redirect}?${query}`), {
      pkceCodeVerifier: flow.verifier,
      expectedState: state,
      expectedNonce: flow.nonce,
      idTokenExpected: true,
    });
    const claims = tokens.claims()!;
    const { claim, groupsClaim, createFor } = this.#choice;
    const isComplete = claim in claims && (createFor.size === 0 || groupsClaim in claims);
    if (isComplete || !provider.serverMetadata().userinfo_endpoint) return claims;
    return { ...(await openid.fetchUserInfo(provider, tokens.access_token, claims.sub)), ...claims };
  }

  /** Asked for at the first sign-in, so that the agent starts also where the provider is down. @throws AgentError NOT_READY */
  async #discovered(): Promise<Configuration> {
    this.#provider ??= this.#discover();
    try {
      return await this.#provider;
    } catch (cause) {
      this.#provider = undefined;
      this.#log.warn({ issuer: this.#choice.issuer.href, message: (cause as Error).message }, "no identity provider");
      throw new AgentError(
        "NOT_READY",
        `${this.name} does not answer as an identity provider. Try again later, or use a login link.`,
        { cause },
      );
    }
  }

  async #discover(): Promise<Configuration> {
    const { issuer, clientId, clientSecret } = this.#choice;
    const openid = await import("openid-client");
    return openid.discovery(
      issuer,
      clientId,
      { [openid.clockTolerance]: CLOCKS_DIFFER_BY_S },
      clientSecret === null ? openid.None() : openid.ClientSecretBasic(clientSecret),
      {
        timeout: PROVIDER_TIMEOUT_S,
        execute: [
          openid.enableNonRepudiationChecks, // else a token's signature is not looked at, since it comes over TLS
          ...(issuer.protocol === "http:" ? [openid.allowInsecureRequests] : []),
        ],
      },
    );
  }

  #forgetOld(): void {
    const now = Date.now();
    for (const all of [this.#flows, this.#arrivals] as Map<string, { expiresAt: number }>[])
      for (const [key, { expiresAt }] of all) if (expiresAt <= now) all.delete(key);
  }
}

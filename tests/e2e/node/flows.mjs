// What every OAuth client library is led through; what happened is printed as one line of JSON, for the tests to judge.
import { randomUUID } from 'node:crypto';

import { answerAll } from './browser.mjs';
import { Session, failure, shown } from './session.mjs';

/**
 * Leads a library through the flow that the arguments name. A library has `discover`, `registered` and the requests of
 * its client; it throws what its users would see.
 */
export async function main(library) {
  const input = JSON.parse(process.argv[2]);
  console.log(JSON.stringify(await FLOWS[input.flow](library, input)));
}

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

const FLOWS = {
  /** Both documents. */
  async discovery(library, { issuer }) {
    return { oauth2: await library.discover(issuer, 'oauth2'), oidc: await library.discover(issuer, 'oidc') };
  },

  /** A code and its tokens, a refresh, and the end of both. */
  async code(library, input) {
    const session = await Session.registered(library, input);
    const first = await session.signedIn();
    const second = await session.client.refresh(first.refresh_token, { resource: input.resource });
    // The answer got lost, or two of the client's parts asked at once.
    const repeated = await session.client.refresh(first.refresh_token, { resource: input.resource });
    const report = { client: session.client.metadata, sent: Object.fromEntries(session.sent.searchParams) };
    Object.assign(report, { first: shown(first), second: shown(second), repeated: shown(repeated) });
    await session.client.revoke(second.refresh_token);
    report.revoked = await failure(session.client.refresh(second.refresh_token));
    await session.client.revoke('never issued');
    return report;
  },

  /** What a library makes of a refusal. */
  async refusals(library, input) {
    const session = await Session.registered(library, input);
    const cancelled = await failure(session.signedIn({ decision: 'cancel' }));
    const scope = await failure(session.signedIn({}, { scope: 'everything' }));
    const { arrived, checks } = await session.authorized();
    const other = { ...checks, verifier: library.verifier() };
    const verifier = await failure(session.client.redeem(arrived, other));
    const tokens = await session.client.redeem(arrived, checks);
    const replayed = await failure(session.client.redeem(arrived, checks));
    const state = await failure(session.client.redeem(arrived, { ...checks, state: randomUUID() }));
    const afterwards = await failure(session.client.refresh(tokens.refresh_token));
    return { cancelled, scope, verifier, replayed, state, afterwards };
  },

  /** What a client is told of its tokens, before and after their end. */
  async introspection(library, input) {
    const session = await Session.registered(library, input);
    const tokens = await session.signedIn();
    const look = async (token) => ({ ...(await session.client.introspect(token)) });
    const report = { access: await look(tokens.access_token), refresh: await look(tokens.refresh_token) };
    report.unknown = await look('never issued');
    await session.client.revoke(tokens.access_token);
    return { ...report, ended: [await look(tokens.access_token), await look(tokens.refresh_token)] };
  },

  /** A code that a person types elsewhere: too early, too often, in time, once more, and one that is refused. */
  async device(library, input) {
    const session = await Session.registered(library, input);
    const { client } = session;
    const asked = await client.device({ resource: input.resource });
    const once = ({ device_code: code }) => client.grant(DEVICE_CODE, { device_code: code });
    const report = { asked: { ...asked, device_code: undefined } };
    report.early = [await failure(once(asked)), await failure(once(asked))];
    report.page = await answerAll(asked.verification_uri, { ...input.person, user_code: asked.user_code });
    report.tokens = shown(await client.poll(asked));
    report.again = await failure(once(asked));
    const refused = await client.device({ resource: input.resource });
    report.refusal = await answerAll(refused.verification_uri_complete, { ...input.person, decision: 'cancel' });
    return { ...report, refused: await failure(once(refused)) };
  },

  /** A request that was pushed, and its reference used once more. */
  async pushed(library, input) {
    const session = await Session.registered(library, { ...input, pushed: true });
    const tokens = await session.signedIn();
    const again = await fetch(session.sent, { redirect: 'manual' });
    const sent = Object.fromEntries(session.sent.searchParams);
    return { sent, tokens: shown(tokens), again: { status: again.status, location: again.headers.get('location') } };
  },

  /** Tokens that are bound to a key: with it, with another, and with none. */
  async bound(library, input) {
    const session = await Session.registered(library, { ...input, dpop: true });
    const { client } = session;
    const first = await session.signedIn();
    const second = await client.refresh(first.refresh_token, { resource: input.resource });
    const report = { first: shown(first), second: shown(second) };
    report.called = await session.called(client, second.access_token);
    for (const [who, key] of [['thief', await library.keyPair()], ['careless', undefined]]) {
      const other = client.rebound(key);
      report[who] = {
        refresh: await failure(other.refresh(second.refresh_token)),
        call: await failure(session.called(other, second.access_token)),
      };
    }
    return { ...report, third: shown(await client.refresh(second.refresh_token)) };
  },

  /** A client that acts for itself. */
  async machine(library, input) {
    const { client } = await Session.existing(library, input);
    const tokens = shown(await client.clientCredentials({ resource: input.resource }));
    const elsewhere = await failure(client.clientCredentials({ resource: 'https://other.example/mcp' }));
    const more = await failure(client.clientCredentials({ resource: input.resource, scope: 'everything' }));
    return { tokens, elsewhere, more };
  },
};

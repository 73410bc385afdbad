// What every MCP client is led through; what happened is printed as one line of JSON, for the tests to judge.
import { Person } from './person.mjs';

/**
 * Leads a client through the scenario that the arguments name. `library` holds what differs between the generations of
 * the SDK: `prepare` a client and its transport, `finish` a sign-in, tell the `connection` and `discover`, `refresh` by
 * hand, and read errors: `UnauthorizedError`, `status`, `errorCode`.
 */
export async function main(library) {
  const input = JSON.parse(process.argv[2]);
  const session = new Session(library, input);
  const report = input.refresh ? await session.refreshing() : await session.working();
  console.log(JSON.stringify(report));
}

class Session {
  constructor(library, input) {
    this.library = library;
    this.input = input;
    this.person = new Person(input.person);
    this.requests = [];
  }

  /** Signs in and does what the person came for. */
  async working() {
    const report = await this.signedIn();
    if (report.stopped) return report;
    const { client } = this;
    const read = (uri) => client.callTool({ name: 'object_read', arguments: { uri } });
    report.tools = (await client.listTools()).tools;
    report.allowed = await read(this.input.allowed);
    report.refused = await read(this.input.refused);
    report.me = await client.readResource({ uri: 'quilt-platform://me' });
    report.discovered = await this.library.discover?.(client);
    report.methods = this.requests.map(({ method }) => method).filter(Boolean);
    await client.close();
    return report;
  }

  /** Signs in, loses the access token, then the whole grant. */
  async refreshing() {
    const report = await this.signedIn();
    const { client, person } = this;
    const first = person.tokens();
    person.spoilAccessToken();
    this.requests = [];
    await client.listTools();
    const second = person.tokens();
    report.refreshed = {
      requests: this.shown(),
      rotated: second.refresh_token !== first.refresh_token && second.access_token !== first.access_token,
      signIns: person.sentWith.length,
    };
    // Somebody else uses the token that was spent: nothing of the grant may work any more.
    report.replayed = await this.refusedRefresh(first.refresh_token);
    report.successor = await this.refusedRefresh(second.refresh_token);
    this.requests = [];
    report.afterwards = await outcome(client.listTools(), this.library.UnauthorizedError);
    report.recovery = { requests: this.shown(), invalidated: person.invalidated, signIns: person.sentWith.length };
    await this.library.finish(this.transport, person.arrived);
    report.tools = (await client.listTools()).tools.length;
    await client.close();
    return report;
  }

  /** Discovers, registers, authorizes and connects. */
  async signedIn() {
    const { library, person } = this;
    try {
      await this.connect();
      throw new Error('the server let somebody in without a token');
    } catch (error) {
      if (!(error instanceof library.UnauthorizedError)) throw error;
    }
    const report = { discovery: this.shown(), client: person.client, authorization: person.sentWith[0] };
    report.arrived = Object.fromEntries([...person.arrived.searchParams].filter(([name]) => name !== 'code'));
    await library.finish(this.transport, person.arrived);
    report.tokens = Object.keys(person.tokens());
    try {
      await this.connect();
    } catch (error) {
      return { ...report, stopped: { status: library.status(error), words: error.data?.text ?? error.message } };
    }
    return { ...report, ...library.connection(this.client), server: this.client.getServerVersion() };
  }

  async connect() {
    const fetch = (url, request) => this.recorded(url, request);
    ({ client: this.client, transport: this.transport } = this.library.prepare(this.input, this.person, fetch));
    await this.client.connect(this.transport);
  }

  async recorded(url, request = {}) {
    const answer = await fetch(url, request);
    const { pathname } = new URL(url);
    const verb = request.method ?? 'GET';
    // The stream of the older revisions is opened beside everything else, at no time that a test could name.
    if (verb === 'GET' && pathname === new URL(this.input.url).pathname) return answer;
    this.requests.push({ line: `${verb} ${pathname} ${answer.status}`, method: rpcMethod(request) });
    return answer;
  }

  shown() {
    return this.requests.map(({ line }) => line);
  }

  async refusedRefresh(refreshToken) {
    const { client, kept } = this.person;
    try {
      await this.library.refresh(client.issuer ?? kept.issuer, client, refreshToken, this.input.url);
      return 'accepted';
    } catch (error) {
      return this.library.errorCode(error);
    }
  }
}

/** The method of a JSON-RPC request, if it is one. */
function rpcMethod({ body }) {
  return typeof body === 'string' && body.startsWith('{') ? JSON.parse(body).method : undefined;
}

async function outcome(promise, expected) {
  try {
    await promise;
    return 'done';
  } catch (error) {
    return error instanceof expected ? 'unauthorized' : `${error}`;
  }
}

// As much of a browser as a sign-in needs: cookies, redirects one at a time, and forms.

/** Hops and pages that a sign-in may take. */
const LONGEST_WALK = 20;

/** Opens `start`, presses Allow (or what `decision` says), signs in, and gives the URL under `target` that this leads to. */
export async function signIn(start, target, person) {
  const cookies = new Map();
  let answer = await load(cookies, start);
  for (let hop = 0; hop < LONGEST_WALK; hop += 1) {
    const { arrived, page } = await follow(cookies, answer, target);
    if (arrived) return arrived;
    const html = await page.text();
    answer = await submit(cookies, page, html, person);
    if (!answer) throw new Error(`stopped at ${page.url} with status ${page.status}: ${visibleText(html)}`);
  }
  throw new Error('the pages do not come to an end');
}

/** Opens `start`, answers every page that asks something, and gives the words of the one that asks nothing. */
export async function answerAll(start, person) {
  const cookies = new Map();
  let answer = await load(cookies, start);
  for (let hop = 0; hop < LONGEST_WALK; hop += 1) {
    const { page } = await follow(cookies, answer);
    const html = await page.text();
    answer = await submit(cookies, page, html, person);
    if (!answer) return { status: page.status, words: visibleText(html) };
  }
  throw new Error('the pages do not come to an end');
}

/** Goes where redirects lead: to a page, or to the URL under `target` that was arrived at. */
async function follow(cookies, answer, target) {
  let page = answer;
  for (let hop = 0; hop < LONGEST_WALK; hop += 1) {
    if (page.status < 300 || page.status >= 400) return { page };
    const next = new URL(page.headers.get('location'), page.url);
    if (target && next.href.startsWith(target)) return { arrived: next };
    page = await load(cookies, next);
  }
  throw new Error('the redirects do not come to an end');
}

/** Fills in the form of a page and sends it; nothing when there is none that this person can answer. */
function submit(cookies, page, html, { decision = 'allow', ...filled }) {
  const decisions = [decision, 'continue'];
  const pressed = (form) => decisions.find((value) => form.buttons.get('decision')?.includes(value));
  const form = forms(html).find((one) => one.fields.has('password') || pressed(one));
  if (!form) return undefined;
  const body = new URLSearchParams();
  for (const [name, preset] of form.fields) body.append(name, filled[name] ?? preset);
  if (!form.fields.has('password')) body.append('decision', pressed(form));
  return load(cookies, new URL(form.action, page.url), { method: 'POST', body });
}

async function load(cookies, url, request = {}) {
  const { host } = new URL(url);
  const mine = [...cookies.values()].filter((cookie) => cookie.host === host);
  const headers = { cookie: mine.map(({ name, value }) => `${name}=${value}`).join('; ') };
  const answer = await fetch(url, { ...request, headers, redirect: 'manual' });
  for (const line of answer.headers.getSetCookie()) {
    const [, name, value] = /^([^=;]+)=([^;]*)/.exec(line);
    const key = `${host} ${name}`;
    if (value === '' || /;\s*max-age=0\b/i.test(line)) cookies.delete(key);
    else cookies.set(key, { host, name, value });
  }
  return answer;
}

/** The forms of a page of ours: attributes are quoted, buttons are buttons. */
function forms(html) {
  return [...html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)].map(([, head, content]) => {
    const fields = new Map();
    const buttons = new Map();
    for (const [, element, rest] of content.matchAll(/<(input|button)\b([^>]*)>/g)) {
      const name = attribute(rest, 'name');
      if (element === 'input' && name) fields.set(name, attribute(rest, 'value'));
      if (element === 'button' && name) buttons.set(name, [...(buttons.get(name) ?? []), attribute(rest, 'value')]);
    }
    return { action: attribute(head, 'action'), fields, buttons };
  });
}

function attribute(text, name) {
  const found = new RegExp(`\\b${name}="([^"]*)"`).exec(text);
  return unescape(found?.[1] ?? '');
}

const NAMED = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescape(text) {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name) return NAMED[name] ?? whole;
    return String.fromCodePoint(decimal ? Number(decimal) : Number.parseInt(hex, 16));
  });
}

function visibleText(html) {
  const text = html.replace(/<(style|head)\b.*?<\/\1>/gs, ' ').replace(/<[^>]*>/g, ' ');
  return unescape(text).replace(/\s+/g, ' ').trim().slice(0, 400);
}

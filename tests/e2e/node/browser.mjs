// As much of a browser as a sign-in needs: cookies, redirects one at a time, and forms.

/** Hops and pages that a sign-in may take. */
const LONGEST_WALK = 20;

/** Opens `start`, presses Allow (or what `decision` says), signs in, and gives the URL under `target` that this leads to. */
export async function signIn(start, target, { username, password, decision = 'allow' }) {
  const cookies = new Map();
  let answer = await load(cookies, start);
  for (let hop = 0; hop < LONGEST_WALK; hop += 1) {
    if (answer.status >= 300 && answer.status < 400) {
      const next = new URL(answer.headers.get('location'), answer.url);
      if (next.href.startsWith(target)) return next;
      answer = await load(cookies, next);
    } else {
      answer = await answerPage(cookies, answer, { username, password }, decision);
    }
  }
  throw new Error('the pages do not come to an end');
}

async function answerPage(cookies, page, filled, decision) {
  const html = await page.text();
  const form = forms(html).find(({ fields, buttons }) => fields.has('password') || buttons.get('decision')?.includes(decision));
  if (!form) throw new Error(`stopped at ${page.url} with status ${page.status}: ${visibleText(html)}`);
  const body = new URLSearchParams();
  for (const [name, preset] of form.fields) body.append(name, filled[name] ?? preset);
  if (!form.fields.has('password')) body.append('decision', decision);
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

// A person with a keyboard, in Chromium, at every page; what was seen is printed as one line of JSON, for the tests to judge.
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { HtmlValidate } from 'html-validate';
import { chromium } from 'playwright-core';

import { WALKS } from './walks.mjs';

/** Each is a device, and a taste. Scripts are off in the last: no page may need one. */
const VARIANTS = [
  { name: 'phone-light', viewport: { width: 390, height: 844 }, colorScheme: 'light' },
  { name: 'phone-dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  { name: 'desktop-light', viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  { name: 'desktop-dark', viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  { name: 'phone-light-no-script', viewport: { width: 390, height: 844 }, colorScheme: 'light', javaScriptEnabled: false },
];

/** More than any page has. */
const TAB_STOPS = 60;

/** Everything that the validator knows to judge. */
const VALIDATOR = new HtmlValidate({
  root: true,
  extends: ['html-validate:recommended', 'html-validate:document', 'html-validate:a11y'],
  rules: { 'doctype-style': ['error', { style: 'lowercase' }] },
});

/** One walk in one variant. */
class Visitor {
  constructor(page, screens, person, variant) {
    this.page = page;
    this.screens = screens;
    this.person = person;
    this.variant = variant;
    this.seen = [];
    /** What the browser complained of. */
    this.complaints = [];
    /** Origins that were asked for anything. */
    this.origins = new Set();
    page.on('console', (message) => this.complain(message));
    page.on('pageerror', (error) => this.complaints.push(`${error}`));
    page.on('request', (request) => this.origins.add(new URL(request.url()).origin));
    page.on('response', (response) => {
      if (response.request().isNavigationRequest() && !response.headers().location) this.answer = response;
    });
  }

  /** Keeps an error or a warning, unless it only repeats the status of a page, which is judged by itself. */
  complain(message) {
    if (!['error', 'warning'].includes(message.type())) return;
    const repeated = message.text().startsWith('Failed to load resource: the server responded with a status of');
    if (repeated && message.location().url === this.answer?.url()) return;
    this.complaints.push(`${message.type()}: ${message.text()}`);
  }

  open(url) {
    return this.page.goto(url);
  }

  /** Looks at the page, which is called `name`: keeps a picture of it and judges what a browser can. */
  async see(name) {
    const { page, answer } = this;
    await page.waitForLoadState('load');
    const path = join(this.screens, `${name}-${this.variant}.png`);
    await page.screenshot({ path, fullPage: true });
    const html = await answer.text();
    const report = await VALIDATOR.validateString(html, `${name}.html`);
    const found = report.results.flatMap(({ messages }) => messages);
    this.seen.push({
      name,
      variant: this.variant,
      status: answer.status(),
      title: await page.title(),
      headings: await page.locator('h1').allInnerTexts(),
      invalid: found.map(({ ruleId, line, message }) => `${ruleId} in line ${line}: ${message}`),
      wider: await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth),
    });
  }

  /** Types into a field that the keyboard reaches. */
  async type(selector, text) {
    await this.reach(selector);
    await this.page.keyboard.press('ControlOrMeta+A');
    await this.page.keyboard.type(text);
  }

  /** Presses what the keyboard reaches, one after the other, and waits for where the last leads. */
  async press(...selectors) {
    for (const opener of selectors.slice(0, -1)) {
      await this.reach(opener);
      await this.page.keyboard.press('Enter');
    }
    await this.reach(selectors.at(-1));
    await Promise.all([this.page.waitForEvent('framenavigated'), this.page.keyboard.press('Enter')]);
  }

  /** Goes on with the tabulator until something has the focus, which must show. */
  async reach(selector) {
    await this.page.waitForLoadState('load');
    for (let stop = 0; stop < TAB_STOPS; stop += 1) {
      const focused = await this.page.evaluate(describeFocus, selector);
      if (focused.wanted) {
        if (!focused.shown) throw new Error(`${selector} on ${this.page.url()} has the focus and does not show it`);
        return;
      }
      await this.page.keyboard.press('Tab');
    }
    throw new Error(`the keyboard does not reach ${selector} on ${this.page.url()}`);
  }
}

/** Runs in the page. */
function describeFocus(selector) {
  const focused = document.activeElement;
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(focused);
  const outlined = outlineStyle !== 'none' && Number.parseFloat(outlineWidth) > 0;
  return { wanted: focused.matches(selector), shown: outlined || boxShadow !== 'none' };
}

/** Nothing is right about this page. */
const BROKEN = `<!DOCTYPE html><html><h1>Broken<h1><style>button { outline: none; width: 9999px }</style><button>Go
  <script>alert(1)</script><img src="http://127.0.0.2:1/x.png">`;

/** Where the client listens, and where a page is that a judge must not let pass. */
async function listen() {
  const server = createServer(({ url }, response) => {
    if (url === '/broken') response.writeHead(200, { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" });
    response.end(url === '/broken' ? BROKEN : '<!doctype html><title>Done</title><h1>Done</h1>');
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return server;
}

async function main() {
  const input = JSON.parse(process.argv[2]);
  await mkdir(input.screens, { recursive: true });
  const client = await listen();
  input.redirect = `http://127.0.0.1:${client.address().port}/callback`;
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  const visits = [];
  for (const [index, { name, ...options }] of VARIANTS.entries()) {
    const context = await browser.newContext({ ...options, reducedMotion: 'reduce' });
    // Not always the same one: who signs in too often must wait.
    const person = input.people[index % input.people.length];
    const visitor = new Visitor(await context.newPage(), input.screens, person, name);
    await WALKS[input.walk](visitor, input);
    const { seen, complaints, origins } = visitor;
    visits.push({ variant: name, seen, complaints, origins: [...origins], arrived: visitor.page.url() });
    await context.close();
  }
  await browser.close();
  client.close();
  console.log(JSON.stringify({ redirect: input.redirect, visits }));
}

await main();

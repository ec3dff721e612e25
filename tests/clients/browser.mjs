// The GraphiQL page in headless Chromium, which can reach nothing but this machine.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { chromium } from 'playwright-core';
import { report } from './report.mjs';

const [url] = process.argv.slice(2);
const QUERY = '{ inventoryProviders { key } }';
const EXPECTED = '"key":"GUILD_WARS_2"';
const PATIENCE = 20_000;
const checks = report('browser');
const shot = 'work/graphiql.png';
mkdirSync('work', { recursive: true });

function isHere(address) {
  const { protocol, hostname } = new URL(address);
  return ['data:', 'blob:', 'about:'].includes(protocol) || ['127.0.0.1', 'localhost'].includes(hostname);
}
/** Take out what an editor and a result pane put between the letters. */
const squeezed = (text) => text.replace(/[\u00a0\u200b\s]+/g, '');

const profile = mkdtempSync(`${tmpdir()}/graphiql-`);
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  viewport: { width: 1280, height: 800 },
  serviceWorkers: 'block',
  args: [
    // In a container there is no namespace for a sandbox to use; only our own page is opened.
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // Names other than this machine's do not even resolve.
    '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost',
  ],
});
const outside = new Set(),
  refused = [],
  errors = [];
let posted = 0;
try {
  await browser.route('**/*', (route) => {
    if (isHere(route.request().url())) return route.continue();
    outside.add(route.request().url().slice(0, 120));
    return route.abort('blockedbyclient');
  });
  const page = browser.pages()[0] ?? (await browser.newPage());
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') console.log(`     console: ${message.text().slice(0, 200)}`);
  });
  page.on('websocket', (socket) => {
    if (!isHere(socket.url().replace(/^ws/, 'http'))) outside.add(socket.url());
  });
  page.on('response', (response) => {
    if (response.status() >= 400 && !response.url().endsWith('/favicon.ico'))
      refused.push(`${response.status()} ${response.url()}`);
  });
  page.on('request', (request) => {
    if (request.method() === 'POST') posted++;
  });

  const response = await page.goto(url, { waitUntil: 'load', timeout: PATIENCE });
  checks.check(
    /text\/html/.test(response?.headers()['content-type'] ?? ''),
    'the page is HTML',
    `HTTP ${response?.status()}`,
  );
  const editor = page.locator('.graphiql-query-editor, .graphiql-editor').first();
  const isShown = await editor.waitFor({ state: 'visible', timeout: PATIENCE }).then(
    () => true,
    () => false,
  );
  checks.check(isShown, 'GraphiQL renders with no network but this machine');
  if (isShown) {
    const lines = page.locator('.graphiql-query-editor .monaco-editor, .graphiql-query-editor .view-lines').first();
    await lines.waitFor({ state: 'visible', timeout: PATIENCE }).catch(() => {});
    await page.waitForTimeout(500);
    await ((await lines.count()) ? lines : editor).click();
    // Replace whatever greets the visitor, without the closing brackets that an editor adds to what is typed.
    await page.keyboard.press('Control+A');
    await page.keyboard.press('Delete');
    await page.keyboard.insertText(QUERY);
    await page.keyboard.press('Escape');
    await page.waitForTimeout(300);
    const text = squeezed(await editor.innerText());
    checks.check(text.includes(squeezed(QUERY)), 'a query stands in the editor', text);
    const before = posted;
    const button = page.locator('.graphiql-execute-button').first();
    await button.click({ timeout: 5_000 }).catch(() => page.keyboard.press('Control+Enter'));
    const pane = page.locator('.result-window, .graphiql-response').first();
    let result = '';
    for (
      const end = Date.now() + PATIENCE;
      Date.now() < end && !result.includes(EXPECTED);
      await page.waitForTimeout(200)
    ) {
      result = squeezed(await pane.innerText().catch(() => ''));
    }
    checks.check(result.includes(EXPECTED), 'the button runs it', result.slice(0, 120));
    checks.check(posted > before, 'the answer came over HTTP');
    await page
      .locator('button[aria-label*="ocumentation Explorer"]')
      .first()
      .click({ timeout: 5_000 })
      .catch(() => {});
    const explorer = page.locator('.graphiql-doc-explorer').first();
    const told = await explorer.innerText({ timeout: 5_000 }).catch(() => '');
    checks.check(
      /Query/.test(told) && !/error fetching/i.test(told),
      'the documentation explorer knows the schema',
      told.slice(0, 80),
    );
    await page.waitForTimeout(500);
  }
  await page.screenshot({ path: shot });
  checks.check(!outside.size, 'the page asks nothing of the outside', [...outside].slice(0, 6).join(' '));
  checks.check(!refused.length, 'no request is refused', refused.slice(0, 4).join(' '));
  checks.check(!errors.length, 'no script fails', errors.slice(0, 3).join(' | '));
} catch (error) {
  checks.check(false, 'the page can be used', error.message.split('\n')[0]);
} finally {
  await browser.close().catch(() => {});
  rmSync(profile, { recursive: true, force: true });
}
checks.end();

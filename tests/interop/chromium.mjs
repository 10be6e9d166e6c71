// Chromium's WebSocket against several servers in one run: chromium.mjs NODE_MODULES URL,COMPRESSED...
// Prints "ok URL" or "FAIL URL WHY" for each.
import { createRequire } from 'node:module';
import path from 'node:path';
import standard from './standard_client.cjs';

const [modules, ...targets] = process.argv.slice(2);
const { chromium } = createRequire(path.resolve(modules, 'any.js'))('playwright-core');
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--ignore-certificate-errors'],
});
const page = await browser.newPage();
for (const target of targets) {
  const [url, compressed] = target.split(',');
  try {
    await page.evaluate(standard.exercise, { url, compressed: compressed === 'true' });
    console.log(`ok ${url}`);
  } catch (error) {
    console.log(`FAIL ${url} ${String(error.message).split('\n')[0]}`);
  }
}
await browser.close();

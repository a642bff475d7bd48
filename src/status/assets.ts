/** The page's own files. Invariant: only those named here are answered; they hold nothing that is anybody's secret. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Context } from 'hono';

const TYPES = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Name in the URL -> file. */
const FILES: Record<string, { type: keyof typeof TYPES; from: 'page' | 'uplot' }> = {
  'page.css': { type: 'css', from: 'page' },
  'live.js': { type: 'js', from: 'page' },
  'login.js': { type: 'js', from: 'page' },
  'charts.js': { type: 'js', from: 'page' },
  'icon.svg': { type: 'svg', from: 'page' },
  'uPlot.min.css': { type: 'css', from: 'uplot' },
  'uPlot.iife.min.js': { type: 'js', from: 'uplot' },
};

type Asset = { body: Uint8Array<ArrayBuffer>; type: string; etag: string };

const loaded = new Map<string, Promise<Asset>>();

export async function asset(c: Context, name: string): Promise<Response> {
  if (!Object.hasOwn(FILES, name)) return c.notFound() as Response;
  const promise = loaded.get(name) ?? load(name);
  loaded.set(name, promise);
  promise.catch(() => loaded.delete(name));
  const { body, type, etag } = await promise;
  // Asked again each time: an upgrade shows at once, and an answer without a body costs little.
  c.header('cache-control', 'no-cache');
  c.header('etag', etag);
  if (c.req.header('if-none-match') === etag) return c.body(null, 304);
  return c.body(body, 200, { 'content-type': type });
}

async function load(name: string): Promise<Asset> {
  const { type, from } = FILES[name];
  const body = new Uint8Array(await readFile(pathOf(name, from)));
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return { body, type: TYPES[type], etag };
}

/** In a checkout beside this module and in node_modules; once built, all in dist/page. */
function pathOf(name: string, from: 'page' | 'uplot'): string {
  const own = fileURLToPath(new URL(`./page/${name}`, import.meta.url));
  if (from === 'page' || existsSync(own)) return own;
  return fileURLToPath(import.meta.resolve(`uplot/dist/${name}`));
}

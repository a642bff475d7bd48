/** A real Chromium, as Debian installs it. */

import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { test } from 'vitest';

const CHROMIUM = '/usr/bin/chromium';

/** Skipped, by name, where there is no Chromium; where nothing may be skipped it fails. */
export const testWithChromium = test.skipIf(!existsSync(CHROMIUM) && !process.env.TIDEMARK_NO_SKIP);

export function openBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`there is no ${CHROMIUM}: apt-get install chromium`);
  // As root Chromium has no sandbox; and /dev/shm of a container is too small for it.
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

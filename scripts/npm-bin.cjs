#!/usr/bin/env node
/**
 * What npm's `tidemark` starts. Invariant: any Node that people still have can parse it, so that an older one is told its
 * version and not shown a syntax error.
 */

'use strict';

const WANTED = 24;

if (Number(process.versions.node.split('.')[0]) < WANTED) {
  process.stderr.write(
    `tidemark needs Node ${WANTED} or newer; this is ${process.version} (${process.execPath})\n` +
      `hint: install Node ${WANTED} from https://nodejs.org, or start tidemark with one that is there: PATH=/opt/node/bin:$PATH tidemark …\n`,
  );
  // As when a precondition is missing: docs/errors.md.
  process.exit(3);
}

// Reading the program is half of its start, and Node keeps that for the next time. In the user's own folder: in a shared
// one somebody else could leave code for us.
const path = require('node:path');
const home = require('node:os').homedir();
if (!process.env.NODE_COMPILE_CACHE && home) {
  const cache = process.env.XDG_CACHE_HOME || path.join(home, '.cache');
  require('node:module').enableCompileCache(path.join(cache, 'tidemark', 'node'));
}

import('../dist/main.js');

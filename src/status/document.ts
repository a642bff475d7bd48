/** The frame of every page. Pure. */

import { type Html, html, type Part } from './html.ts';

export function document(
  { title, scripts, styles = [] }: { title: string; scripts: string[]; styles?: string[] },
  body: Part,
): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · tidemark</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
${styles.concat('page.css').map((name) => html`<link rel="stylesheet" href="/assets/${name}">\n`)}${scripts.map((name) => html`<script src="/assets/${name}" defer></script>\n`)}</head>
<body>
${body}
</body>
</html>
`;
}

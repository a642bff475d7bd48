import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clean } from '../../../src/status/clean.ts';
import { html } from '../../../src/status/html.ts';

test('values are text, in elements and in attributes', () => {
  const evil = `<script>alert("1" & '2')</script>`;
  expect(html`<p title="${evil}">${evil}</p>`.text).toBe(
    '<p title="&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;">&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;</p>',
  );
});

test('templates and lists of them are put in as they are, nothing is nothing, zero is a number', () => {
  expect(html`<ul>${[1n, 2].map((n) => html`<li>${n}</li>`)}</ul>${null}${undefined}${false}${0}`.text).toBe(
    '<ul><li>1</li><li>2</li></ul>0',
  );
});

test('no value whatever can leave its place', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '&', '/', '=', ' ', 'a', '\0', '\u2028', '😀') }),
      (value) => {
        const { text } = html`<p title="${value}">${value}</p>`;
        expect(text.match(/[<>"]/g)?.join('')).toBe('<""><>');
      },
    ),
  );
});

test('a secret is found as it stands, and as HTML, JSON or a URL writes it', () => {
  const secret = `p&"s/w<d'`;
  for (const text of [
    secret,
    html`<p>${secret}</p>`.text,
    JSON.stringify({ secret }),
    JSON.stringify(html`${secret}`.text),
    encodeURIComponent(secret),
  ]) {
    expect(clean(`before ${text} after`, [secret])).toMatch(/^before .*\*\*\*.* after$/);
    expect(clean(text, [secret])).not.toMatch(/p(&|%26).*s.*w/);
  }
});

test('of two secrets of which one begins like the other nothing is left', () => {
  expect(clean('abcdefgh', ['abcd', 'abcdefgh'])).toBe('***');
});

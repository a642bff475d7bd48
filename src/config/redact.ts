/** Keeps passwords out of everything that is printed or logged. The last net: errors of ours hold none to begin with. */

/** The user's part of a URL up to the last `@` before a space or quote: passwords with `/` or `@` in them are covered. */
const LOGIN = /([a-z][a-z0-9+.-]*:\/\/)([^\s:@/'"]*):([^\s'"]*)@/gi;
/** What a login token of AWS (auth: rds-iam) or a signed URL proves itself by. */
const SIGNATURE = /(X-Amz-(?:Signature|Security-Token|Credential)=)[^\s&'"]*/gi;
const PARAMETER = /([?&\s](?:password|sslpassword)=)[^\s&'"]*/gi;

/** Half of all test databases have such a password, and it would blacken every URL in a hint. */
const OURS = new Set(['postgres', 'postgresql', 'password', 'tidemark']);

/** `text` with `***` where a URL has a password, or where one of `secrets` stands. */
export function redact(text: string, secrets: readonly string[] = []): string {
  let safe = text.replaceAll(LOGIN, '$1$2:***@').replaceAll(PARAMETER, '$1***').replaceAll(SIGNATURE, '$1***');
  // Two letters would blacken half of every message, and guard nothing.
  for (const secret of secrets) if (secret.length > 3 && !OURS.has(secret)) safe = safe.replaceAll(secret, '***');
  return safe;
}

/** The password of a URL, as written and as meant; none when it has none or cannot be read. */
export function secretsOf(url: string): string[] {
  const written = /^[a-z+]+:\/\/[^:@/]*:(.*)@/is.exec(url)?.[1];
  if (!written) return [];
  const secrets = [written];
  try {
    secrets.push(decodeURIComponent(written));
  } catch {
    // Not percent-encoded: what is written is all there is.
  }
  return [...new Set(secrets)];
}

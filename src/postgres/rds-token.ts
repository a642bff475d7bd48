/** Passwords that AWS makes for a login by IAM. Invariant: a token is made for one connection and never kept; it is valid for 15 minutes. */

import { TidemarkError } from '../model/error.ts';
import type { DatabaseRole } from './connect-options.ts';

export type TokenPlace = { host: string; port: number; user: string; region: string | undefined };

/** Of `….<region>.rds.amazonaws.com`, in China `….rds.<region>.amazonaws.com.cn`; undefined: the name does not tell. */
export function regionOf(host: string): string | undefined {
  const region = '([a-z]{2}(?:-[a-z]+)+-\\d+)';
  const found = new RegExp(
    `\\.(?:${region}\\.rds\\.amazonaws\\.com|rds\\.${region}\\.amazonaws\\.com\\.cn)$`,
    'i',
  ).exec(host);
  return (found?.[1] ?? found?.[2])?.toLowerCase();
}

/**
 * A token with the credentials of the AWS chain; signing asks nobody. The host's own region counts before the given one.
 * Throws CONFIG_INVALID (no region), SOURCE_AUTH, STATE_AUTH or TARGET_AUTH (no credentials).
 */
export async function rdsToken(
  { host, port, user, region }: TokenPlace,
  role: DatabaseRole,
  signal: AbortSignal,
): Promise<string> {
  const signed = regionOf(host) ?? region;
  if (signed === undefined) {
    throw new TidemarkError('CONFIG_INVALID', `auth: rds-iam cannot tell the region of ${host} (${role})`, {
      hint: "name the endpoint that ends in <region>.rds.amazonaws.com, as AWS's token wants it; or set AWS_REGION or s3.region",
    });
  }
  // Here, not above: who logs in by a password need not wait for the SDK.
  const { Signer } = await import('@aws-sdk/rds-signer');
  const signer = new Signer({ hostname: host, port, username: user, region: signed });
  try {
    return await unlessAborted(signer.getAuthToken(), signal);
  } catch (cause) {
    const code = ({ source: 'SOURCE_AUTH', state: 'STATE_AUTH', target: 'TARGET_AUTH' } as const)[role];
    const message = `there are no AWS credentials for auth: rds-iam (${role}: ${(cause as Error).message})`;
    const hint = 'they come from the AWS chain: environment, profile, or the role of the machine, pod or task';
    throw new TidemarkError(code, message, { cause, hint });
  }
}

/** The SDK's chain takes no signal, and the metadata of a machine that is none of AWS's may not answer. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

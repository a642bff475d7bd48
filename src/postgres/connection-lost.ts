/** Whether an error means that the connection is gone. Pure. */

import { poolerMode } from './connect-refusals.ts';

/** The connection is gone: whether the last statement took effect is unknown. */
export function connectionLost(error: unknown): boolean {
  // It says no each time, and hangs up with the SQLSTATE of a broken protocol.
  if (poolerMode(error)) return false;
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && /^(08...|57P0[123]|ECONNRESET|EPIPE|ETIMEDOUT|ECONNABORTED)$/.test(code)) return true;
  return /Connection terminated|not queryable|connection error|did not answer|socket.*(closed|destroyed)/i.test(
    String(message),
  );
}

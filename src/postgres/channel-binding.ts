/** libpq's channel_binding=require. Invariant: no password goes out before the server has offered to bind it to the TLS connection. */

import type pg from 'pg';

/** The server asks for a password in a way that whoever sits in between could pass on. */
export class NoChannelBinding extends Error {}

/** pg takes channel binding where it is offered, and would go on without. Before connect(); what it throws then is NoChannelBinding. */
export function requireChannelBinding(client: pg.Client): void {
  const { connection } = client;
  let offered = false;
  const refuse = () => {
    if (!offered) connection.stream.destroy(new NoChannelBinding('the server offers no channel binding'));
  };
  // Ours come before pg's own listeners, which would answer with the password: what they write then goes nowhere.
  connection.on('authenticationSASL', ({ mechanisms }: { mechanisms: string[] }) => {
    offered = mechanisms.includes('SCRAM-SHA-256-PLUS');
    refuse();
  });
  for (const asked of ['authenticationCleartextPassword', 'authenticationMD5Password', 'authenticationOk'])
    connection.on(asked, refuse);
}

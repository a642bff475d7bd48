/** The signals that stop a command, and the exit codes that say so. */

export const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

export type StopSignal = keyof typeof SIGNALS;

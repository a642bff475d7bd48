/** Where a table goes that is made as it was at some time. Pure. */

/** `invoice_as_of_20261120T102230Z`. */
export function asOfFolder(folder: string, asOf: bigint): string {
  const instant = new Date(Number(asOf / 1000n)).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${folder}_as_of_${instant}`;
}

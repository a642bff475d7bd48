/** Which tables were exported. Takes no lease, locks nothing. */

import type { TableName } from '../model/table.ts';
import type { StateTx } from './database.ts';

/** `columns`: their names in the source, as of the last export. */
export type Exported = { name: TableName; folder: string; columns: string[] };

/** Every table with a mark or raw files; one that went to several folders comes once for each. */
export async function exportedTables({ db }: StateTx): Promise<Exported[]> {
  const rows = await db
    .selectFrom('source_table')
    .select(['schema_name', 'table_name', 'folder', 'columns'])
    .where(({ or, eb }) => or([eb('mark', 'is not', null), eb('raw_files', '>', '0')]))
    .orderBy('schema_name')
    .orderBy('table_name')
    .orderBy('folder')
    .execute();
  return rows.map(({ schema_name: schema, table_name: table, folder, columns }) => ({
    name: { schema, table },
    folder,
    columns: columns?.map(({ source }) => source) ?? [],
  }));
}
